/** The XFRM part of a link: IFLA_XFRM_ attributes (linux/if_link.h). */
import type { Xfrm } from "../../kernel/xfrm.ts";
import type { MessageBuilder } from "../message_builder.ts";
import { type MessageParser, Policy } from "../message_parser.ts";

const IFLA_XFRM_IF_ID = 2;

const policy = new Policy({ [IFLA_XFRM_IF_ID]: "u32" });

/** Puts the contents of IFLA_INFO_DATA. Without IFLA_XFRM_LINK the outer packets take whatever route they have. */
export function encodeXfrm(message: MessageBuilder, { interfaceId }: Xfrm): void {
  message.putU32(IFLA_XFRM_IF_ID, interfaceId);
}

/** The XFRM part inside the attribute `type` of the last parse, or undefined where it is malformed. */
export function decodeXfrm(parser: MessageParser, type: number): Xfrm | undefined {
  if (!parser.nested(type, policy)) return undefined;
  const interfaceId = parser.u32(IFLA_XFRM_IF_ID);
  return interfaceId === undefined ? undefined : { interfaceId };
}
