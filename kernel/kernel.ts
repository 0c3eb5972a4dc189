/**
 * The kernel as flan sees it. `ffi/netlink_kernel.ts` implements this for Linux, `test/lib/fake_kernel.ts` in
 * memory; one conformance suite holds both to the same behaviour.
 */
import type { KernelError } from "../net/errors.ts";
import type { KernelObject, NeighbourState, Route } from "./state.ts";

export interface Kernel {
  /**
   * Throws `unsupported` or `not-permitted`, naming the thing and what brings it, where this host lacks one of the
   * features. Changes nothing.
   */
  require(features: readonly Feature[]): Promise<void>;

  /**
   * Reads what is there, whole and consistent (an interrupted dump is done again): every link and address;
   * the routes of the main table and every nexthop object; this host's proxy and its routes, and its socket for ESP in UDP; neighbours and FDB entries of the links in
   * `request.links` that exist; `txChecksum` of those in `request.txChecksums`; the values of `request.sysctls` that exist; what of the packet filter is flan's, and
   * which chains on its forward hook drop by policy; WireGuard's settings and peers of those of `request.links` that
   * are such devices; IPsec's states and policies where one of `request.links`, or a link of a flan's, is such a device.
   */
  dump(request: DumpRequest): Promise<readonly KernelObject[]>;

  /**
   * Carries the changes out in the order given, in batches, and goes on after one that fails. Resolves to
   * the failures; an empty list means that the kernel acknowledged everything.
   *
   * - `add` is exclusive: where the key exists the kernel answers EEXIST and nothing changes.
   * - `replace` overwrites the value of the key, in place where the kernel can.
   * - `delete` of what is not there (ENOENT, ESRCH, EADDRNOTAVAIL, ENODEV) counts as done.
   */
  apply(changes: readonly Change[]): Promise<readonly Failure[]>;

  /**
   * Changes as they happen, from the moment of the call until `signal` aborts. An event says "look again",
   * never what to do; one that was lost shows as `overrun`.
   */
  events(signal: AbortSignal): AsyncIterable<KernelEvent>;

  /**
   * Resolves when whoever reads `events` has taken in all that the kernel had announced before the call, or has left; at
   * once where nobody reads. Not to be waited for by a reader who has an event in hand.
   */
  hear(): Promise<void>;

  /**
   * The kernel's own answer to "how would this packet go". Throws KernelError as {@link routeMatch} does. What it was told
   * of the path's MTU it keeps by the entry that decided, which rules may choose by the packet's source.
   */
  routeGet(destination: string, query?: RouteQuery): Promise<RouteAnswer>;

  /**
   * The entry of the routing tables that decides about a packet. Throws KernelError: ENETUNREACH or EHOSTUNREACH where
   * none leads on (or where a packet that came in is not forwarded), EINVAL or EXDEV where the reverse-path filter of
   * `incoming` drops it.
   */
  routeMatch(destination: string, query?: RouteQuery): Promise<RouteMatch>;

  /** Gives every descriptor back. Nothing in the kernel changes. */
  close(): void;
}

/**
 * What not every host has: VXLAN, IPIP and TUN devices, IPsec (ESP with AES-GCM, and its devices), ESP in UDP with its port free, WireGuard in the kernel or as a program, the compiled library of the UDP proxy, a packet filter that can be
 * set, and leave to run the network's commands.
 */
export type Feature =
  | "vxlan"
  | "wireguard"
  | "ipip"
  | "ipsec"
  | "udp-encap"
  | "tun"
  | "proxy"
  | "firewall"
  | "hooks";

export interface DumpRequest {
  /** Names of the links whose neighbours and FDB entries are read. */
  readonly links: readonly string[];
  /** Names as in {@link Sysctl.name}. */
  readonly sysctls: readonly string[];
  /**
   * Whether it is about links only: then routes, nexthops, proxy, hooks and packet filter are left out, of which there
   * may be tens of thousands.
   */
  readonly linksOnly?: true;
  /** Names of the links of which {@link Link.txChecksum} is read; none where it is left out. */
  readonly txChecksums?: readonly string[];
}

export interface Change {
  readonly verb: "add" | "replace" | "delete";
  readonly object: KernelObject;
}

export interface Failure {
  readonly change: Change;
  readonly error: KernelError;
  /** It was not tried, because the changes before it took their time; the next call has room for it. */
  readonly later?: boolean;
}

export interface KernelEvent {
  /** `firewall`: somebody changed the packet filter; such events name no object. `ipsec`: what is IPsec's. */
  readonly group:
    | "link"
    | "address"
    | "route"
    | "nexthop"
    | "neighbour"
    | "firewall"
    | "proxy"
    | "ipsec"
    | "overrun";
  /** `wanted`: the kernel asks user space for the MAC of `ip` on `link` (RTM_GETNEIGH, app_solicit). */
  readonly action: "new" | "delete" | "wanted";
  /** Whether this Kernel's own `apply` caused it. */
  readonly own: boolean;
  /** The netlink port of who did it: the process id for most programs, 0 for the kernel itself, and where it is not told. */
  readonly port: number;
  /** The name of the program that did it, where the kernel tells (`firewall`). */
  readonly program?: string;
  /** The link concerned, where the event names one. */
  readonly link?: string;
  /** The name that the link had until now, where this event renames it. */
  readonly former?: string;
  /**
   * Destination prefix of a route, address with length, a neighbour's IP, a nexthop's number, or what `xfrmSubject` in
   * kernel/xfrm.ts makes of a state or policy of IPsec's; of its socket for ESP in UDP none.
   */
  readonly subject?: string;
  /** The MAC of an FDB entry; such an event has no subject, and its port is 0 whoever caused it. */
  readonly mac?: string;
  /** Where it leads: the gateway of a nexthop, the remote VTEP of an FDB entry. */
  readonly to?: string;
  /** For routes and neighbours. */
  readonly protocol?: number;
  /** For neighbours. */
  readonly state?: NeighbourState;
  /** The MTU that a link has now, in bytes. */
  readonly mtu?: number;
  /** Whether a link is administratively up now. */
  readonly up?: boolean;
  /** The MAC that a link has now, "" for one without. */
  readonly linkMac?: string;
  /** All else that is read of a link, for comparing: alike where nothing of it has changed. */
  readonly details?: string;
  /** Whether a route has taken the place of another one to the same destination. */
  readonly replaces?: true;
}

export interface RouteAnswer {
  readonly link: string;
  /** "" where the destination is on the link. */
  readonly gateway: string;
  /** The packet's source address: the query's, or else the preferred one. */
  readonly source: string;
  /** The path MTU that the kernel knows (a route's metric or an ICMP error), or 0. */
  readonly mtu: number;
}

/** What more is known of the packet. */
export interface RouteQuery {
  /** The packet's source address. */
  readonly source?: string;
  /** The link by which it comes in; without one this host itself sends it. */
  readonly incoming?: string;
  /** The link that it has to leave by, as a socket can be bound to one. */
  readonly outgoing?: string;
}

export interface RouteMatch {
  /** `type` is "local" for an address of this host. */
  readonly route: Route;
  /**
   * rtnetlink's RT_TABLE_ number: 254 is the main one, others are for policy rules. Local addresses are in 255, or in the
   * main one while the namespace never had a rule.
   */
  readonly table: number;
}

/** The table in which flan's routes are, and an administrator's where no policy rule names another. */
export const MAIN_TABLE = 254;
