/** Neighbours and FDB entries: `struct ndmsg` and NDA_ attributes (linux/neighbour.h). */
import type { Change } from "../../kernel/kernel.ts";
import type { FdbEntry, Neighbour } from "../../kernel/state.ts";
import { addressBytes, addressText, macBytes, macText } from "../bytes.ts";
import { type MessageBounds, type MessageParser, Policy } from "../message_parser.ts";
import {
  AF_BRIDGE,
  AF_INET,
  AF_INET6,
  makeFlags,
  NLM_F_REQUEST,
  RTM_DELNEIGH,
  RTM_NEWNEIGH,
} from "./constants.ts";
import type { EncodeContext, NameOf } from "./context.ts";
import { neighbourStateName, neighbourStates } from "./names.ts";

export const NDMSG_LENGTH = 12;
export const NDA_IFINDEX = 8;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_PROTOCOL = 12;
const NTF_SELF = 0x02;
const policy = new Policy({ [NDA_DST]: "bytes", [NDA_LLADDR]: "bytes", [NDA_PROTOCOL]: "u8" });

const head = new Uint8Array(NDMSG_LENGTH);
const headView = new DataView(head.buffer);
const ipScratch = new Uint8Array(4);
const macScratch = new Uint8Array(6);

/** Fills struct ndmsg { u8 family, pad; u16 pad; s32 ifindex; u16 state; u8 flags, type; }. */
function ndmsg(family: number, fields: { index: number; state: number; flags: number }): typeof head {
  head[0] = family;
  headView.setUint32(4, fields.index, true);
  headView.setUint16(8, fields.state, true);
  head[10] = fields.flags;
  return head;
}

const requestOf = (verb: Change["verb"]) =>
  verb === "delete"
    ? { type: RTM_DELNEIGH, flags: NLM_F_REQUEST }
    : { type: RTM_NEWNEIGH, flags: makeFlags[verb] };

/** RTM_NEWNEIGH or RTM_DELNEIGH for the neighbour table. */
export function encodeNeighbour(
  verb: Change["verb"],
  entry: Neighbour,
  { message, indexOf }: EncodeContext,
): void {
  const ip = addressBytes(entry.ip, ipScratch);
  const mac = verb === "delete" || entry.mac === "" ? undefined : macBytes(entry.mac, macScratch);
  const family = ip.length === 16 ? AF_INET6 : AF_INET;
  const state = neighbourStates[entry.state];
  message.start(requestOf(verb), ndmsg(family, { index: indexOf(entry.link), state, flags: 0 }));
  message.put(NDA_DST, ip);
  if (verb === "delete") return;
  if (mac !== undefined) message.put(NDA_LLADDR, mac);
  message.putU8(NDA_PROTOCOL, entry.protocol);
}

/**
 * RTM_NEWNEIGH or RTM_DELNEIGH for a VXLAN device's forwarding table. A deletion names no remote, so that it
 * removes what stands under the MAC, whatever that is by now.
 */
export function encodeFdb(verb: Change["verb"], entry: FdbEntry, { message, indexOf }: EncodeContext): void {
  const mac = macBytes(entry.mac, macScratch);
  const remote = verb === "delete" || entry.remote === "" ? undefined : addressBytes(entry.remote, ipScratch);
  const fields = { index: indexOf(entry.link), state: neighbourStates.permanent, flags: NTF_SELF };
  message.start(requestOf(verb), ndmsg(AF_BRIDGE, fields));
  message.put(NDA_LLADDR, mac);
  if (remote !== undefined) message.put(NDA_DST, remote);
}

/** The neighbour of an RTM_NEWNEIGH, RTM_DELNEIGH or RTM_GETNEIGH message of IPv4 or IPv6. */
export function decodeNeighbour(
  parser: MessageParser,
  message: MessageBounds,
  nameOf: NameOf,
): Neighbour | undefined {
  if (!parser.parse(message, NDMSG_LENGTH, policy)) return undefined;
  const family = parser.headU8(message, 0);
  const ip = parser.data(NDA_DST);
  const mac = parser.data(NDA_LLADDR);
  const link = nameOf(parser.headU32(message, 4));
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  if (ip === undefined || ip.length !== (family === AF_INET ? 4 : 16) || link === undefined) return undefined;
  return {
    kind: "neighbour",
    link,
    ip: addressText(ip),
    mac: mac === undefined ? "" : macText(mac),
    state: neighbourStateName(parser.headU16(message, 8)),
    protocol: parser.u8(NDA_PROTOCOL) ?? 0,
  };
}

/** The FDB entry of an AF_BRIDGE message; only permanent ones with a remote, the kind that flan makes. */
export function decodeFdb(
  parser: MessageParser,
  message: MessageBounds,
  nameOf: NameOf,
): FdbEntry | undefined {
  if (!parser.parse(message, NDMSG_LENGTH, policy)) return undefined;
  const mac = parser.data(NDA_LLADDR);
  const remote = parser.data(NDA_DST);
  const link = nameOf(parser.headU32(message, 4));
  if (parser.headU8(message, 0) !== AF_BRIDGE || link === undefined) return undefined;
  if ((parser.headU16(message, 8) & neighbourStates.permanent) === 0) return undefined;
  if (mac?.length !== 6 || (remote?.length !== 4 && remote?.length !== 16)) return undefined;
  return { kind: "fdb", link, mac: macText(mac), remote: addressText(remote) };
}
