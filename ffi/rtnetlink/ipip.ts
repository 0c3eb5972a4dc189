/** The IPIP part of a link: IFLA_IPTUN_ attributes (linux/if_tunnel.h). */
import type { Ipip } from "../../kernel/state.ts";
import { addressBytes, addressText } from "../bytes.ts";
import type { MessageBuilder } from "../message_builder.ts";
import { type MessageParser, Policy } from "../message_parser.ts";

const IFLA_IPTUN_LOCAL = 2;
const IFLA_IPTUN_REMOTE = 3;
const IFLA_IPTUN_TTL = 4;
const IFLA_IPTUN_PMTUDISC = 10;

const policy = new Policy({ [IFLA_IPTUN_LOCAL]: "bytes", [IFLA_IPTUN_REMOTE]: "bytes" });

/** Puts the contents of IFLA_INFO_DATA. */
export function encodeIpip(message: MessageBuilder, { local, remote }: Ipip): void {
  if (local !== "") message.put(IFLA_IPTUN_LOCAL, addressBytes(local));
  if (remote !== "") message.put(IFLA_IPTUN_REMOTE, addressBytes(remote));
  // 0: the inner packet's own.
  message.putU8(IFLA_IPTUN_TTL, 0);
  // 0: outer packets may be divided where the inner one may, so that only those who can heed it hear of a narrow path.
  message.putU8(IFLA_IPTUN_PMTUDISC, 0);
}

/** The IPIP part inside the attribute `type` of the last parse, or undefined where it is malformed. */
export function decodeIpip(parser: MessageParser, type: number): Ipip | undefined {
  if (!parser.nested(type, policy)) return undefined;
  return { local: end(parser.data(IFLA_IPTUN_LOCAL)), remote: end(parser.data(IFLA_IPTUN_REMOTE)) };
}

/** Nobody's address stands for any. */
function end(bytes: Uint8Array | undefined): string {
  return bytes?.length === 4 && bytes.some((byte) => byte !== 0) ? addressText(bytes) : "";
}
