/**
 * The kernel objects flan deals with, as plain values. The same types say what is wanted and what is there,
 * so that the two can be compared. Addresses, prefixes and MACs are canonical text (`net/ip.ts`, `net/mac.ts`);
 * links are named, not numbered, because a link that is made anew has another index.
 */

import { type Family, familyOf } from "../net/ip.ts";
import { peerKey, type Wireguard, type WireguardPeer } from "./wireguard.ts";
import { describeXfrm, type Xfrm, xfrmKey, type XfrmObject } from "./xfrm.ts";
import { placeOf } from "../net/place.ts";

export type { Wireguard, WireguardPeer };
export type { EncapSocket, XfrmPolicy, XfrmState } from "./xfrm.ts";

/** flan's mark on routes, nexthops and neighbours (`proto 113` in `ip`); unassigned in rtnetlink's list. */
export const ROUTE_PROTOCOL = 113;

/** flan's mark on links: their alias begins so. */
export const LINK_ALIAS = "flan";

/** The alias that marks the links of one node. */
export function aliasOf(node: string): string {
  return node === "" ? LINK_ALIAS : `${LINK_ALIAS} ${node}`;
}

export interface Link {
  readonly kind: "link";
  readonly name: string;
  /** rtnetlink's IFLA_INFO_KIND (`vxlan`, `veth`, `bridge`), or "" for a plain device. */
  readonly type: string;
  /** The free text of `ip link set dev X alias …`, "" if none. */
  readonly alias: string;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  /** Set where it is up and nothing is at its other end (no IFF_LOWER_UP), as with a cable out; never of tunnels. */
  readonly noCarrier?: true;
  /** Only where `type` is "vxlan". */
  readonly vxlan?: Vxlan;
  /**
   * Whether the checksums of what it sends are left to the hardware, or to the link that carries its packets on
   * (`tx` of ethtool(8)). Only where `type` is "vxlan", and whoever made the plan or read the kernel asked for it:
   * a link without it may have either.
   */
  readonly txChecksum?: boolean;
  /** Only where `type` is "tun", and the device is one for IP packets that outlives its reader. */
  readonly tun?: Tun;
  /** Only where `type` is "ipip". */
  readonly ipip?: Ipip;
  /** Only where `type` is "wireguard", and whoever looks may see it. */
  readonly wireguard?: Wireguard;
  /** Only where `type` is "xfrm". */
  readonly xfrm?: Xfrm;
}

/** The ends of an IPIP device (RFC 2003); the hop limit and the don't-fragment bit of its packets are the inner ones. */
export interface Ipip {
  /** Source address of the outer packets, and the only address at which they come in. */
  readonly local: string;
  /** "" where the route of a packet says to whom it goes. */
  readonly remote: string;
}

/** A TUN device that outlives whoever reads it (linux/if_tun.h). */
export interface Tun {
  /** Whether several queues can be opened (IFF_MULTI_QUEUE); cannot be changed while the device exists. */
  readonly multiQueue: boolean;
  /** Packets that wait for the reader before more are dropped (`txqueuelen`). */
  readonly queueLength: number;
}

/** What of a VXLAN device cannot be changed while it exists. */
export interface Vxlan {
  /** 1 to 16777215. */
  readonly vni: number;
  /** UDP destination port. */
  readonly port: number;
  /** Source address of the outer packets. */
  readonly local: string;
  /** Name of the link that carries the outer packets, or "" where the device is not bound to one. */
  readonly parent: string;
  readonly learning: boolean;
  /** Group policy extension (draft-smith-vxlan-group-policy). */
  readonly gbp: boolean;
}

export interface Address {
  readonly kind: "address";
  readonly link: string;
  /** With its prefix length, host bits kept: `10.5.1.0/32`. */
  readonly address: string;
  /** Whether a host is not to be known by it: tentative, deprecated or temporary, as there are of IPv6. */
  readonly passing?: true;
  /** Whether it is held back for good, because another host on the link has it, too (RFC 4862, 5.4.5). */
  readonly duplicate?: true;
}

export interface Nexthop {
  readonly kind: "nexthop";
  /** 1 to 2^32 − 1, one number space for the whole namespace. */
  readonly id: number;
  readonly gateway: string;
  readonly link: string;
  readonly onlink: boolean;
  /** rtnetlink's RTPROT_ number: who made it. */
  readonly protocol: number;
}

/** The NUD_ states of a neighbour entry, as `ip neigh` names them. */
export type NeighbourState =
  | "permanent"
  | "noarp"
  | "reachable"
  | "stale"
  | "delay"
  | "probe"
  | "incomplete"
  | "failed"
  | "none";

export interface Neighbour {
  readonly kind: "neighbour";
  readonly link: string;
  readonly ip: string;
  /** "" while it is not resolved. */
  readonly mac: string;
  /** Wanted entries are `permanent`, or `reachable` where they may age (on-demand). */
  readonly state: NeighbourState;
  readonly protocol: number;
}

export interface FdbEntry {
  readonly kind: "fdb";
  readonly link: string;
  readonly mac: string;
  /** The remote VTEP's underlay address; "" for entries without one. */
  readonly remote: string;
}

export interface Route {
  readonly kind: "route";
  readonly destination: string;
  /** Priority; {@link defaultMetric} where nobody says another one. */
  readonly metric: number;
  /** The outgoing link, or "" where the route has several or none. */
  readonly link: string;
  /** The gateway, or "" where the destination is on the link. */
  readonly gateway: string;
  readonly onlink: boolean;
  /** The nexthop object that the route uses, or 0. `gateway`, `link` and `onlink` then repeat what it says. */
  readonly nexthop: number;
  /** rtnetlink's RTN_ name: `unicast`, `unreachable`, `blackhole`, … */
  readonly type: string;
  readonly protocol: number;
}

/**
 * The priority that the kernel gives a route for which none is said: 0 for IPv4, and IP6_RT_PRIO_USER (net/ipv6_route.h)
 * for IPv6, where 0 cannot be said.
 */
export function defaultMetric(destination: string): number {
  return familyOf(destination) === 4 ? 0 : 1024;
}

/** The priority of a route that only counts where no other one does; 2^32 − 1 is that of IPv6's own last route. */
export const LAST_METRIC = 2 ** 32 - 2;

export interface Sysctl {
  readonly kind: "sysctl";
  /** Path below /proc/sys, with slashes because link names hold dots: `net/ipv4/neigh/flan.1/app_solicit`. */
  readonly name: string;
  readonly value: string;
}

/**
 * The process that carries the packets of a TUN link as UDP datagrams (`flan proxy run`), with what it was told. It is
 * no part of the kernel, and is compared, made and mended like everything else that packets need.
 */
export interface Proxy {
  readonly kind: "proxy";
  /** The TUN link, one proxy each. */
  readonly link: string;
  /** Where it listens and sends from, on the underlay. */
  readonly address: string;
  readonly port: number;
  /** This host's subnet: what may come in. */
  readonly subnet: string;
  /** This host's address in the overlay: the source of its ICMP errors. */
  readonly source: string;
  /** Whether the outer source must be the host that owns the inner source. */
  readonly checkSource: boolean;
  /** TUN queues, 1 to 16. */
  readonly queues: number;
  /** False for one that runs and carries nothing, because a descriptor failed; always true where it is wanted. */
  readonly carrying: boolean;
}

/** What a proxy is told to be. */
export type ProxySettings = Omit<Proxy, "kind" | "carrying">;

/** The TUN link of each family: each is carried by a proxy of its own, over an underlay of the same family. */
export const proxyLinks: Readonly<Record<Family, string>> = { 4: "flan0", 6: "flan6-0" };

/** FLAN_MAX_QUEUES in `ffi/proxy/flan_proxy.h`. */
export const MAX_QUEUES = 16;

export interface ProxyRoute {
  readonly kind: "proxy-route";
  /** The TUN link of the proxy that has it. */
  readonly link: string;
  readonly destination: string;
  /** Address and UDP port of the host that owns the destination. */
  readonly remote: string;
  readonly port: number;
}

/** A route as a proxy takes it: the destination, and address and UDP port of the host that owns it. */
export type ProxyWay = readonly [destination: string, remote: string, port: number];

/**
 * That a network's own command has set up what its packets need (the extension backend): for one peer or, where `network`
 * is given, for this host itself. It is no part of the kernel, and is made and taken away like everything else.
 */
export interface Hook {
  readonly kind: "hook";
  /** The peer's or this host's. */
  readonly subnet: string;
  readonly publicIp: string;
  /** The second half of a dual-stack lease. */
  readonly subnet6?: string;
  readonly publicIp6?: string;
  /** The whole network as the command is told it, "" in a peer's. */
  readonly network: string;
  /** The second family of a dual-stack network. */
  readonly network6?: string;
  /** What the command reads on its standard input, without the newline at its end. */
  readonly data: string;
  /** Shell commands that set it up and that take it away; "" where nothing is to be done. */
  readonly add: string;
  readonly remove: string;
}

/** Which packets, and what becomes of them: the part of nft's and of iptables' language that flan uses. */
export interface PacketRule {
  /** A prefix as `10.5.0.0/16`, or `!10.5.0.0/16` for every source outside it. */
  readonly source?: string;
  /** The same of the destination. */
  readonly destination?: string;
  /** Bits of the packet's mark, as `0x4000`, that must be set. */
  readonly mark?: string;
  /** `masquerade` is with ports chosen at random; `other` is a rule that flan did not write so. */
  readonly action: "accept" | "return" | "masquerade" | "other";
}

/**
 * Which packets of the overlay get another source address when they leave this host: a table of flan's own, one for each
 * address family. The table is replaced as a whole; what somebody else did to it shows as a rule with action `other`.
 */
export interface Masquerade {
  readonly kind: "masquerade";
  readonly family: Family;
  /** Whose it is, as {@link Link.alias}; "" where no rule says so: for an empty table, and for somebody else's. */
  readonly alias: string;
  readonly rules: readonly PacketRule[];
}

/** An address family as nft names it, and ip6tables. */
export function nftFamily(family: Family): "ip" | "ip6" {
  return family === 4 ? "ip" : "ip6";
}

/**
 * flan's rules in a chain that somebody else made on the forward hook. A table of our own cannot accept what another
 * one drops, so they stand in that chain itself.
 */
export interface ForwardRules {
  readonly kind: "forward-rules";
  /** Family, table and name: `ip filter FORWARD`. */
  readonly chain: string;
  /** Whose they are, as {@link Link.alias}; "" stands for nobody's, and says that the chain drops by policy. */
  readonly alias: string;
  readonly rules: readonly PacketRule[];
}

export type KernelObject =
  | Link
  | Address
  | Nexthop
  | Neighbour
  | FdbEntry
  | Route
  | WireguardPeer
  | XfrmObject
  | Sysctl
  | Proxy
  | ProxyRoute
  | Hook
  | Masquerade
  | ForwardRules;
export type ObjectKind = KernelObject["kind"];

/** What makes an object the same object in the kernel's eyes; everything else of it is its value. */
export function keyOf(object: KernelObject): string {
  switch (object.kind) {
    case "link":
      return `link ${object.name}`;
    case "address":
      return `address ${object.address} dev ${object.link}`;
    case "nexthop":
      return `nexthop ${object.id}`;
    case "neighbour":
      return `neighbour ${object.ip} dev ${object.link}`;
    case "fdb":
      return `fdb ${object.mac} dev ${object.link}`;
    case "route":
      return `route ${object.destination} metric ${object.metric}`;
    case "wireguard-peer":
      return peerKey(object);
    case "encap-socket":
    case "xfrm-state":
    case "xfrm-policy":
      return xfrmKey(object);
    case "sysctl":
      return `sysctl ${object.name}`;
    case "proxy":
      return `proxy ${object.link}`;
    case "proxy-route":
      return `proxy route ${object.destination} dev ${object.link}`;
    case "hook":
      return `hook ${object.subnet}`;
    case "masquerade":
      return `masquerade ${nftFamily(object.family)}`;
    case "forward-rules":
      return `forward-rules ${object.chain} ${object.alias}`;
  }
}

/** Whether two objects of one key have one value. */
export function sameObject(a: KernelObject, b: KernelObject): boolean {
  return sameValue(a, b);
}

function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const x = a as Record<string, unknown>;
  const y = b as Record<string, unknown>;
  let surplus = 0;
  for (const key in x) {
    if (!sameValue(x[key], y[key])) return false;
    surplus++;
  }
  for (const _ in y) surplus--;
  return surplus === 0;
}

/** One object as a person reads it in a log line or an error: `route 10.5.9.0/24 via 10.5.9.0 dev flan.1`. */
export function describe(object: KernelObject): string {
  switch (object.kind) {
    case "link":
      return `link ${object.name}`;
    case "address":
      return `address ${object.address} dev ${object.link}`;
    case "nexthop":
      return `nexthop ${object.id} via ${object.gateway} dev ${object.link}`;
    case "neighbour":
      return `neighbour ${object.ip} lladdr ${object.mac || "none"} dev ${object.link}`;
    case "fdb":
      return `FDB entry ${object.mac} dst ${object.remote || "none"} dev ${object.link}`;
    case "route":
      return [
        `route ${object.type === "unicast" ? "" : `${object.type} `}${object.destination}`,
        object.gateway && `via ${object.gateway}`,
        object.link && `dev ${object.link}`,
        object.metric !== defaultMetric(object.destination) && `metric ${object.metric}`,
      ].filter(Boolean).join(" ");
    case "wireguard-peer":
      return `wireguard peer ${object.publicKey} at ${object.endpoint || "no endpoint"} dev ${object.link}`;
    case "encap-socket":
    case "xfrm-state":
    case "xfrm-policy":
      return describeXfrm(object);
    case "sysctl":
      return `sysctl ${object.name}=${object.value}`;
    case "proxy":
      if (object.address === "") return "idle UDP proxy";
      return `proxy of ${object.link} at ${placeOf({ hostname: object.address, port: object.port })}`;
    case "proxy-route":
      return `proxy route ${object.destination} to ${
        placeOf({ hostname: object.remote, port: object.port })
      }`;
    case "hook":
      return `hook for ${object.network === "" ? "" : "own "}subnet ${object.subnet} at ${object.publicIp}`;
    case "masquerade":
      return `masquerade rules in table ${nftFamily(object.family)} flan`;
    case "forward-rules":
      return `forward rules in chain ${object.chain}`;
  }
}
