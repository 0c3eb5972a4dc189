/** Nexthop objects: `struct nhmsg` and NHA_ attributes (linux/nexthop.h, Linux 5.3). */
import type { Change } from "../../kernel/kernel.ts";
import type { Nexthop } from "../../kernel/state.ts";
import { addressBytes, addressText } from "../bytes.ts";
import { type MessageBounds, type MessageParser, Policy } from "../message_parser.ts";
import {
  AF_INET,
  AF_INET6,
  makeFlags,
  NLM_F_REQUEST,
  RTM_DELNEXTHOP,
  RTM_NEWNEXTHOP,
  RTNH_F_ONLINK,
} from "./constants.ts";
import type { EncodeContext, NameOf } from "./context.ts";

export const NHMSG_LENGTH = 8;
const NHA_ID = 1;
const NHA_OIF = 5;
const NHA_GATEWAY = 6;
const policy = new Policy({ [NHA_ID]: "u32", [NHA_OIF]: "u32", [NHA_GATEWAY]: "bytes" });

const head = new Uint8Array(NHMSG_LENGTH);
const gatewayScratch = new Uint8Array(4);

/** RTM_NEWNEXTHOP or RTM_DELNEXTHOP. */
export function encodeNexthop(
  verb: Change["verb"],
  nexthop: Nexthop,
  { message, indexOf }: EncodeContext,
): void {
  // struct nhmsg { u8 family, scope, protocol, resvd; u32 flags; }; scope is the kernel's to say.
  head.fill(0);
  if (verb === "delete") {
    message.start({ type: RTM_DELNEXTHOP, flags: NLM_F_REQUEST }, head);
    message.putU32(NHA_ID, nexthop.id);
    return;
  }
  const gateway = addressBytes(nexthop.gateway, gatewayScratch);
  head[0] = gateway.length === 16 ? AF_INET6 : AF_INET;
  head[2] = nexthop.protocol;
  head[4] = nexthop.onlink ? RTNH_F_ONLINK : 0;
  const index = indexOf(nexthop.link);
  message.start({ type: RTM_NEWNEXTHOP, flags: makeFlags[verb] }, head);
  message.putU32(NHA_ID, nexthop.id);
  message.putU32(NHA_OIF, index);
  message.put(NHA_GATEWAY, gateway);
}

/** The nexthop of an RTM_NEWNEXTHOP or RTM_DELNEXTHOP message; groups and blackholes have no link or gateway. */
export function decodeNexthop(
  parser: MessageParser,
  message: MessageBounds,
  nameOf: NameOf,
): Nexthop | undefined {
  if (!parser.parse(message, NHMSG_LENGTH, policy)) return undefined;
  const id = parser.u32(NHA_ID);
  const gateway = parser.data(NHA_GATEWAY);
  const index = parser.u32(NHA_OIF);
  if (id === undefined || (gateway !== undefined && gateway.length !== 4 && gateway.length !== 16)) {
    return undefined;
  }
  return {
    kind: "nexthop",
    id,
    gateway: gateway === undefined ? "" : addressText(gateway),
    link: index === undefined ? "" : nameOf(index) ?? "",
    onlink: (parser.headU32(message, 4) & RTNH_F_ONLINK) !== 0,
    protocol: parser.headU8(message, 2),
  };
}
