/** Addresses: `struct ifaddrmsg` and IFA_ attributes (linux/if_addr.h). */
import type { Change } from "../../kernel/kernel.ts";
import type { Address } from "../../kernel/state.ts";
import { addressText, prefixBytes } from "../bytes.ts";
import { type MessageBounds, type MessageParser, Policy } from "../message_parser.ts";
import { AF_INET, AF_INET6, makeFlags, NLM_F_REQUEST, RTM_DELADDR, RTM_NEWADDR } from "./constants.ts";
import type { EncodeContext, NameOf } from "./context.ts";

const IFADDRMSG_LENGTH = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_F_NODAD = 0x02;
const IFA_F_DADFAILED = 0x08;
/** IFA_F_TEMPORARY, DADFAILED, DEPRECATED and TENTATIVE; the low eight flags also stand in the header. */
const PASSING = 0x01 | IFA_F_DADFAILED | 0x20 | 0x40;
const policy = new Policy({ [IFA_ADDRESS]: "bytes", [IFA_LOCAL]: "bytes" });

/** RTM_NEWADDR or RTM_DELADDR. */
export function encodeAddress(
  verb: Change["verb"],
  address: Address,
  { message, indexOf }: EncodeContext,
): void {
  const { bytes, length } = prefixBytes(address.address);
  // struct ifaddrmsg { u8 family, prefixlen, flags, scope; u32 index; }
  const head = new Uint8Array(IFADDRMSG_LENGTH);
  const v6 = bytes.length === 16;
  head[0] = v6 ? AF_INET6 : AF_INET;
  head[1] = length;
  // Duplicate address detection asks neighbours that a tunnel does not have, and holds the address back.
  head[2] = v6 ? IFA_F_NODAD : 0;
  new DataView(head.buffer).setUint32(4, indexOf(address.link), true);
  message.start(
    verb === "delete"
      ? { type: RTM_DELADDR, flags: NLM_F_REQUEST }
      : { type: RTM_NEWADDR, flags: makeFlags[verb] },
    head,
  );
  message.put(IFA_LOCAL, bytes);
  message.put(IFA_ADDRESS, bytes);
}

/** The address of an RTM_NEWADDR or RTM_DELADDR message, or undefined where it is none that flan deals with. */
export function decodeAddress(
  parser: MessageParser,
  message: MessageBounds,
  nameOf: NameOf,
): Address | undefined {
  if (!parser.parse(message, IFADDRMSG_LENGTH, policy)) return undefined;
  // IFA_ADDRESS is the other end on a point-to-point link; IFA_LOCAL is missing for IPv6 otherwise.
  const bytes = parser.data(IFA_LOCAL) ?? parser.data(IFA_ADDRESS);
  const link = nameOf(parser.headU32(message, 4));
  if (bytes === undefined || link === undefined || (bytes.length !== 4 && bytes.length !== 16)) {
    return undefined;
  }
  const address = `${addressText(bytes)}/${parser.headU8(message, 1)}`;
  // In IPv4 the bit of a temporary address means a secondary one.
  const flags = bytes.length === 16 ? parser.headU8(message, 2) : 0;
  return {
    kind: "address",
    link,
    address,
    ...((flags & PASSING) !== 0 && { passing: true }),
    ...((flags & IFA_F_DADFAILED) !== 0 && { duplicate: true }),
  };
}
