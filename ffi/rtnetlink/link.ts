/** Links: `struct ifinfomsg` and IFLA_ attributes (linux/if_link.h). */
import type { Ipip, Link, Tun } from "../../kernel/state.ts";
import type { Xfrm } from "../../kernel/xfrm.ts";
import { macBytes, macText } from "../bytes.ts";
import type { MessageBuilder } from "../message_builder.ts";
import { type MessageBounds, type MessageParser, Policy } from "../message_parser.ts";
import {
  AF_INET6,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
} from "./constants.ts";
import type { EncodeContext } from "./context.ts";
import { decodeIpip, encodeIpip } from "./ipip.ts";
import { decodeTun } from "./tun.ts";
import { decodeXfrm, encodeXfrm } from "./xfrm.ts";
import { decodeVxlan, encodeVxlan, type VxlanFields } from "./vxlan.ts";

export const IFINFOMSG_LENGTH = 16;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_TXQLEN = 13;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_AF_SPEC = 26;
export const IFLA_EXT_MASK = 29;
/** Leaves the counters out of the answer (linux/rtnetlink.h). */
export const RTEXT_FILTER_SKIP_STATS = 8;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
const IFF_UP = 1; // linux/if.h
/** Whether there is carrier (linux/if.h); the kernel says it only of a link that is up. */
const IFF_LOWER_UP = 1 << 16;

/** What a program reads, or the kernel itself carries on, has no other end: no carrier of theirs means no cable. */
const tunnels: ReadonlySet<string> = new Set(["tun", "vxlan"]);

const policy = new Policy({
  [IFLA_ADDRESS]: "bytes",
  [IFLA_IFNAME]: "string",
  [IFLA_MTU]: "u32",
  [IFLA_TXQLEN]: "u32",
  [IFLA_LINKINFO]: "nested",
  [IFLA_IFALIAS]: "string",
});
const infoPolicy = new Policy({ [IFLA_INFO_KIND]: "string", [IFLA_INFO_DATA]: "nested" });

/** struct ifinfomsg { u8 family, pad; u16 type; s32 index; u32 flags, change; } */
function ifinfomsg({ index = 0, flags = 0, change = 0 }): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(IFINFOMSG_LENGTH);
  const view = new DataView(head.buffer);
  view.setUint32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, change, true);
  return head;
}

/**
 * Creates a link, down. What the kernel does not take at creation (alias, address generation) is set by
 * {@link encodeLinkChange} afterwards.
 */
export function encodeLinkCreate(link: Link, { message, indexOf }: EncodeContext): void {
  const parent = link.vxlan === undefined || link.vxlan.parent === "" ? 0 : indexOf(link.vxlan.parent);
  message.start({ type: RTM_NEWLINK, flags: NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL }, ifinfomsg({}));
  message.putString(IFLA_IFNAME, link.name);
  if (link.mtu !== 0) message.putU32(IFLA_MTU, link.mtu);
  if (link.mac !== "") message.put(IFLA_ADDRESS, macBytes(link.mac));
  message.nest(IFLA_LINKINFO, () => {
    message.putString(IFLA_INFO_KIND, link.type);
    const { ipip, vxlan, xfrm } = link;
    if (xfrm !== undefined) message.nest(IFLA_INFO_DATA, () => encodeXfrm(message, xfrm));
    if (ipip !== undefined) message.nest(IFLA_INFO_DATA, () => encodeIpip(message, ipip));
    if (vxlan !== undefined) message.nest(IFLA_INFO_DATA, () => encodeVxlan(message, vxlan, parent));
  });
}

/**
 * Asks for a link with a name that none can have (dev_valid_name in net/core/dev.c). A kernel that has the type refuses
 * that with EINVAL, and another one with EOPNOTSUPP; neither makes anything.
 */
export function encodeImpossibleLink(message: MessageBuilder, type: string): void {
  message.start({ type: RTM_NEWLINK, flags: NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL }, ifinfomsg({}));
  message.putString(IFLA_IFNAME, "/");
  message.nest(IFLA_LINKINFO, () => message.putString(IFLA_INFO_KIND, type));
}

/** What of a link can change while it exists; what is left out stays as it is. */
export interface LinkChange {
  readonly mac?: string;
  readonly mtu?: number;
  readonly alias?: string;
  /** `txqueuelen`, in packets. */
  readonly queueLength?: number;
  readonly up?: boolean;
  /** The link makes itself no IPv6 link-local address, so that no router solicitation crosses the tunnel. */
  readonly noIpv6Addresses?: boolean;
}

/** Changes a link in place. */
export function encodeLinkChange(message: MessageBuilder, index: number, change: LinkChange): void {
  const flags = change.up === undefined ? {} : { flags: change.up ? IFF_UP : 0, change: IFF_UP };
  message.start({ type: RTM_NEWLINK, flags: NLM_F_REQUEST }, ifinfomsg({ index, ...flags }));
  if (change.mtu !== undefined) message.putU32(IFLA_MTU, change.mtu);
  if (change.mac !== undefined) message.put(IFLA_ADDRESS, macBytes(change.mac));
  if (change.queueLength !== undefined) message.putU32(IFLA_TXQLEN, change.queueLength);
  // Without the terminating zero, as `ip` does: an empty attribute takes the alias away.
  if (change.alias !== undefined) message.put(IFLA_IFALIAS, new TextEncoder().encode(change.alias));
  if (change.noIpv6Addresses) {
    message.nest(
      IFLA_AF_SPEC,
      () => message.nest(AF_INET6, () => message.putU8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE)),
    );
  }
}

export function encodeLinkDelete(message: MessageBuilder, index: number): void {
  message.start({ type: RTM_DELLINK, flags: NLM_F_REQUEST }, ifinfomsg({ index }));
}

/** Asks for one link by name. */
export function encodeLinkGet(message: MessageBuilder, name: string): void {
  message.start({ type: RTM_GETLINK, flags: NLM_F_REQUEST }, ifinfomsg({}));
  message.putString(IFLA_IFNAME, name);
  message.putU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

/** A link as a message tells it: with its index, and its VXLAN parent as one. */
export interface LinkFields extends Omit<Link, "vxlan"> {
  readonly index: number;
  readonly vxlan?: VxlanFields;
}

/** The link of an RTM_NEWLINK or RTM_DELLINK message, or undefined where it is malformed. */
export function decodeLink(parser: MessageParser, message: MessageBounds): LinkFields | undefined {
  if (!parser.parse(message, IFINFOMSG_LENGTH, policy)) return undefined;
  const name = parser.string(IFLA_IFNAME);
  // AF_BRIDGE and AF_INET6 also send RTM_NEWLINK, about ports and address configuration.
  if (name === undefined || parser.headU8(message, 0) !== 0) return undefined;
  const mac = parser.data(IFLA_ADDRESS);
  const flags = parser.headU32(message, 8);
  const up = (flags & IFF_UP) !== 0;
  const fields = {
    kind: "link" as const,
    index: parser.headU32(message, 4),
    name,
    alias: parser.string(IFLA_IFALIAS) ?? "",
    mac: mac === undefined ? "" : macText(mac),
    mtu: parser.u32(IFLA_MTU) ?? 0,
    up,
  };
  const queueLength = parser.u32(IFLA_TXQLEN) ?? 0;
  const type = parser.nested(IFLA_LINKINFO, infoPolicy) ? parser.string(IFLA_INFO_KIND) ?? "" : "";
  const carries = !up || (flags & IFF_LOWER_UP) !== 0 || tunnels.has(type);
  const info = type === "" ? {} : decodeInfo(parser, { type, queueLength });
  return {
    ...fields,
    // The link-layer address of an ipip device is that of its outer packets.
    ...("ipip" in info ? { mac: "" } : {}),
    type,
    ...(carries ? {} : { noCarrier: true as const }),
    ...info,
  };
}

/** What is particular to the type of a link whose IFLA_LINKINFO was parsed last. */
function decodeInfo(
  parser: MessageParser,
  { type, queueLength }: { type: string; queueLength: number },
): { vxlan?: VxlanFields; tun?: Tun; ipip?: Ipip; xfrm?: Xfrm } {
  if (type === "vxlan") {
    const vxlan = decodeVxlan(parser, IFLA_INFO_DATA);
    return vxlan === undefined ? {} : { vxlan };
  }
  if (type === "ipip") {
    const ipip = decodeIpip(parser, IFLA_INFO_DATA);
    return ipip === undefined ? {} : { ipip };
  }
  if (type === "xfrm") {
    const xfrm = decodeXfrm(parser, IFLA_INFO_DATA);
    return xfrm === undefined ? {} : { xfrm };
  }
  const tun = type === "tun" ? decodeTun(parser, IFLA_INFO_DATA) : undefined;
  return tun === undefined ? {} : { tun: { ...tun, queueLength } };
}

/** A link with its parent's name in place of the number. */
export function namedLink(
  { index: _, vxlan, ...link }: LinkFields,
  nameOf: (index: number) => string | undefined,
): Link {
  if (vxlan === undefined) return link;
  const { parentIndex, ...rest } = vxlan;
  return { ...link, vxlan: { ...rest, parent: parentIndex === 0 ? "" : nameOf(parentIndex) ?? "" } };
}
