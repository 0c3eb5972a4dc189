/** How kernel objects hang on one another, and so in which order they are made. */
import { type Family, familyOf } from "../net/ip.ts";
import {
  type ForwardRules,
  type KernelObject,
  keyOf,
  type Link,
  type Masquerade,
  type ObjectKind,
  type Proxy,
  type ProxyRoute,
  type WireguardPeer,
  type XfrmPolicy,
  type XfrmState,
} from "./state.ts";

/**
 * The order in which objects are made; they are removed backwards. FDB entries come before neighbours so that
 * a peer's new MAC can be forwarded before the first packet is addressed to it, and masquerade rules before all routes:
 * a connection keeps the source address that its first packet got. A policy comes after the states that it needs.
 */
const rank: Readonly<Record<ObjectKind, number>> = {
  link: 0,
  masquerade: 1,
  "forward-rules": 2,
  sysctl: 3,
  address: 4,
  "wireguard-peer": 5,
  "encap-socket": 6,
  "xfrm-state": 7,
  "xfrm-policy": 8,
  proxy: 9,
  "proxy-route": 10,
  nexthop: 11,
  fdb: 12,
  neighbour: 13,
  route: 14,
  hook: 15,
};

/** Every kind there is, in this order. */
export const objectKinds = Object.keys(rank) as readonly ObjectKind[];

/** Sorts objects in the order in which they are made; equal kinds keep their order (Array.sort is stable). */
export function byRank(a: KernelObject, b: KernelObject): number {
  return rankOf(a) - rankOf(b);
}

/**
 * A barrier stands before the first device does, and after the last one. A policy that keeps packets out comes after those
 * that except some of them, and goes before them.
 */
function rankOf(object: KernelObject): number {
  if (isBarrier(object)) return -1;
  const isLast = object.kind === "xfrm-policy" && object.action === "block";
  return rank[object.kind] + (isLast ? 0.5 : 0);
}

/** Whether the object is a route that ends packets here, which hangs on no link. */
export function isBarrier(object: KernelObject): boolean {
  return object.kind === "route" && object.type === "unreachable";
}

/**
 * The link that an object lives on, or "" (a link itself, a global sysctl, a route without one, a hook, what is IPsec's). It vanishes with the
 * link, unless it is a proxy's.
 */
export function linkOf(object: KernelObject): string {
  if (object.kind === "link" || object.kind === "hook" || object.kind === "encap-socket") return "";
  if (isFirewalls(object) || isXfrms(object)) return "";
  return object.kind === "sysctl" ? linkOfSysctl(object.name) : object.link;
}

/** The address family that an object is of; undefined where it serves both, or none. */
export function familyOfObject(object: KernelObject): Family | undefined {
  switch (object.kind) {
    case "link":
      return object.vxlan === undefined ? undefined : familyOf(object.vxlan.local);
    case "address":
      return familyOf(object.address);
    case "nexthop":
      return familyOf(object.gateway);
    case "neighbour":
      return familyOf(object.ip);
    case "fdb":
      return familyOf(object.remote);
    case "route":
    case "proxy-route":
      return familyOf(object.destination);
    case "proxy":
      return familyOf(object.source);
    case "masquerade":
      return object.family;
    case "wireguard-peer":
      return onlyOne(object.allowedIps.map(familyOf));
    case "xfrm-state":
    case "xfrm-policy":
      return familyOf(object.destination);
    case "encap-socket":
      return 4;
    case "sysctl":
      return object.name.startsWith("net/ipv6/") ? 6 : object.name.startsWith("net/ipv4/") ? 4 : undefined;
    case "forward-rules":
    case "hook":
      return undefined;
  }
}

function onlyOne(families: readonly Family[]): Family | undefined {
  return new Set(families).size === 1 ? families[0] : undefined;
}

/** Key of the nexthop object that a route uses, or "". */
export function nexthopOf(object: KernelObject): string {
  return object.kind === "route" && object.nexthop !== 0 ? `nexthop ${object.nexthop}` : "";
}

/** Whether the object is a process's and not the kernel's: it outlives its link, and carries nothing without it. */
export function isProxys(object: KernelObject): object is Proxy | ProxyRoute {
  return object.kind === "proxy" || object.kind === "proxy-route";
}

/** Whether the object is rules of the packet filter, which hang on no link. */
export function isFirewalls(object: KernelObject): object is Masquerade | ForwardRules {
  return object.kind === "masquerade" || object.kind === "forward-rules";
}

/** Whether the object is WireGuard's, and told to a device rather than to the kernel's tables. */
export function isWireguards(object: KernelObject): object is WireguardPeer | Link {
  return object.kind === "wireguard-peer" || (object.kind === "link" && object.type === "wireguard");
}

/** Whether the object is an IPsec state or policy: neither hangs on the link whose packets it is for. */
export function isXfrms(object: KernelObject): object is XfrmState | XfrmPolicy {
  return object.kind === "xfrm-state" || object.kind === "xfrm-policy";
}

/** Key of the proxy that has a route, and takes it along, or "". */
export function proxyOf(object: KernelObject): string {
  return object.kind === "proxy-route" ? `proxy ${object.link}` : "";
}

/** Whether any of `keys` (`keyOf`) names the object or something that it cannot be without. */
export function dependsOn(object: KernelObject, keys: ReadonlySet<string>): boolean {
  if (keys.size === 0) return false;
  const link = linkOf(object);
  return keys.has(keyOf(object)) || (link !== "" && keys.has(`link ${link}`)) ||
    keys.has(nexthopOf(object)) || keys.has(proxyOf(object));
}

/** Whether the kernel can change `from` into `to` while the device exists. */
export function changeable(from: Link, to: Link): boolean {
  if (from.type !== to.type) return false;
  if (from.tun?.multiQueue !== to.tun?.multiQueue) return false;
  // One that gives no answer is good for nothing any more.
  if ((from.wireguard === undefined) !== (to.wireguard === undefined)) return false;
  if (from.ipip?.local !== to.ipip?.local || from.ipip?.remote !== to.ipip?.remote) return false;
  if (from.xfrm?.interfaceId !== to.xfrm?.interfaceId) return false;
  const a = from.vxlan;
  const b = to.vxlan;
  if (a === undefined || b === undefined) return a === b;
  return a.vni === b.vni && a.port === b.port && a.local === b.local && a.parent === b.parent &&
    a.learning === b.learning && a.gbp === b.gbp;
}

/** `net/ipv4/conf/NAME/…`, `net/ipv6/neigh/NAME/…`: the kernel makes and drops these with the link. */
function linkOfSysctl(name: string): string {
  const parts = name.split("/");
  return parts.length === 5 && parts[0] === "net" ? parts[3]! : "";
}
