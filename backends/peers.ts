/** What every backend asks of a lease, and how leases become peers: each is judged on its own. */
import type { Lease, Refusal, RefusalCode } from "../lease/lease.ts";
import type { View } from "../lease/view.ts";
import { isHostAddress, parseCidr, parseIp } from "../net/ip.ts";
import { memo } from "../net/memo.ts";
import { printable, quoted } from "../net/text.ts";
import type { Plan } from "./backend.ts";

/** An IPv4 subnet in the forms that a plan needs. */
export interface Subnet {
  /** The subnet's address as a number, 1 to 2^32 − 1. */
  readonly id: number;
  /** The subnet's first address, which stands for its host in the overlay. */
  readonly gateway: string;
  readonly prefixLength: number;
}

export interface Peer extends Subnet {
  readonly lease: Lease;
}

/** What of this host no peer can have, too. */
export interface HostFacts {
  readonly publicIp: string;
  /** The underlay's. */
  readonly address: string;
}

/** A reason, as a stable word and a clause. */
export class Refused {
  constructor(readonly code: RefusalCode, readonly reason: string) {}
}

/**
 * This host's subnet. Without a lease of its own it is not in the network, and an empty plan is the whole answer. A
 * config that `check` refuses yields an empty plan with every lease refused: the caller keeps its last good one.
 */
export function ownSubnet(view: View, problems: readonly string[]): Subnet | Plan {
  if (view.own === undefined) return { objects: [], peers: [], refused: [] };
  const own = readSubnet(view.own.subnet);
  if (own !== undefined && problems.length === 0) return own;
  const why = own === undefined
    ? new Refused("bad-subnet", "this host's own subnet is not an IPv4 subnet")
    : new Refused("bad-config", problems[0]!);
  return { objects: [], peers: [], refused: [view.own, ...view.peers].map((lease) => refusal(lease, why)) };
}

/**
 * Sorts the leases into peers and refusals. The first of two that have one subnet address has it; what else only one
 * can have, `claim` judges and remembers.
 */
export function sortPeers<P extends Peer>(
  leases: readonly Lease[],
  { own, host, judge, claim = () => undefined }: {
    own: Subnet;
    host: HostFacts;
    /** By nothing of this host: what it says of a lease is what every host says. */
    judge: (lease: Lease) => P | Refused;
    claim?: (peer: P) => Refused | undefined;
  },
): { peers: P[]; refused: Refusal[] } {
  const peers: P[] = [];
  const refused: Refusal[] = [];
  const holders = new Map<number, string>([[own.id, "this host"]]);
  for (const lease of leases) {
    const peer = judge(lease);
    if (peer instanceof Refused) {
      refused.push(refusal(lease, peer));
      continue;
    }
    const why = ofThisHost(lease, host) ?? overlap(peer, holders.get(peer.id)) ?? claim(peer);
    if (why !== undefined) {
      refused.push(refusal(lease, why));
      continue;
    }
    holders.set(peer.id, lease.subnet);
    peers.push(peer);
  }
  return { peers, refused };
}

function ofThisHost({ publicIp }: Lease, host: HostFacts): Refused | undefined {
  if (publicIp !== host.publicIp && publicIp !== host.address) return undefined;
  return new Refused("duplicate-endpoint", `PublicIP ${publicIp} is this host's own`);
}

function overlap({ gateway }: Peer, holder: string | undefined): Refused | undefined {
  return holder === undefined ? undefined : new Refused("overlap", `${gateway} is leased to ${holder}`);
}

/** The reason why a lease of another backend is no peer; undefined for one of this backend. */
export function requireType({ backendType }: Lease, type: string): Refused | undefined {
  if (backendType === type) return undefined;
  return new Refused("other-backend", `its backend is ${quoted(backendType || "udp")}, not "${type}"`);
}

/** Whether the lease names a subnet and a host that packets can be sent to. */
export function readPeer(lease: Lease): Peer | Refused {
  return known(lease, undefined);
}

/** One changed lease must not cost reading all of them again, nor must another host's place to look from. */
const known = memo(read);

function read(lease: Lease): Peer | Refused {
  const subnet = readSubnet(lease.subnet);
  if (subnet === undefined) {
    return new Refused("bad-subnet", `${quoted(lease.subnet)} is not an IPv4 subnet`);
  }
  if (!isEndpoint(lease.publicIp)) {
    return new Refused("bad-endpoint", `PublicIP ${quoted(lease.publicIp)} cannot be a host's IPv4 address`);
  }
  return { lease, ...subnet };
}

function refusal(lease: Lease, { code, reason }: Refused): Refusal {
  return { subnet: printable(lease.subnet), code, reason };
}

function readSubnet(text: string): Subnet | undefined {
  try {
    const { family, address, length } = parseCidr(text);
    if (family !== 4 || address === 0n) return undefined;
    return { id: Number(address), gateway: text.slice(0, text.indexOf("/")), prefixLength: length };
  } catch {
    // The reason is the caller's to give, with the value.
    return undefined;
  }
}

function isEndpoint(text: string): boolean {
  try {
    const ip = parseIp(text);
    return ip.family === 4 && isHostAddress(ip);
  } catch {
    // As above.
    return false;
  }
}
