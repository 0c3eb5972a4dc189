/** Generic netlink: families by name (linux/genetlink.h). */
import type { MessageBuilder } from "../message_builder.ts";
import { type MessageBounds, type MessageParser, Policy } from "../message_parser.ts";
import { NLM_F_REQUEST } from "../rtnetlink/constants.ts";

export const GENL_HDRLEN = 4;
const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
const policy = new Policy({ [CTRL_ATTR_FAMILY_ID]: "u16" });

/** struct genlmsghdr { u8 cmd, version; u16 reserved; } */
export function genlHeader(command: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(command, 1, 0, 0);
}

/** Asks for the number of a family. The kernel loads the module that has it, where there is one. */
export function encodeFamilyGet(message: MessageBuilder, name: string): void {
  message.start({ type: GENL_ID_CTRL, flags: NLM_F_REQUEST }, genlHeader(CTRL_CMD_GETFAMILY));
  message.putString(CTRL_ATTR_FAMILY_NAME, name);
}

/** The family's number, or undefined where the answer is malformed. */
export function decodeFamily(parser: MessageParser, message: MessageBounds): number | undefined {
  if (!parser.parse(message, GENL_HDRLEN, policy)) return undefined;
  return parser.u16(CTRL_ATTR_FAMILY_ID);
}
