/** What every backend asks of a lease, and how leases become peers: each is judged on its own. */
import type { Lease, Refusal, RefusalCode } from "../lease/lease.ts";
import type { View } from "../lease/view.ts";
import { bits, type Family, isHostAddress, parseCidr, parseIp } from "../net/ip.ts";
import { memo } from "../net/memo.ts";
import { printable, quoted } from "../net/text.ts";
import type { Plan } from "./backend.ts";

/** A subnet in the forms that a plan needs. */
export interface Subnet {
  readonly family: Family;
  /** The subnet's address as a number, which is never 0. */
  readonly id: bigint;
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
    ? new Refused("bad-subnet", "this host's own subnet cannot be a host's")
    : new Refused("bad-config", problems[0]!);
  return refusing(view, why);
}

/** The plan of a host that cannot be in the network: it has no peers, for one reason. */
export function refusing({ own, peers }: View, why: Refused): Plan {
  const all = own === undefined ? peers : [own, ...peers];
  return { objects: [], peers: [], refused: all.map((lease) => refusal(lease, why)) };
}

/**
 * Sorts the leases into peers and refusals. The first of two that have one subnet address has it; what else only one
 * can have, `claim` judges and remembers.
 */
export function sortPeers<P extends Peer>(
  leases: readonly Lease[],
  { own, host, judge, claim = () => undefined }: {
    /** An id of 0 is nobody's: of a family in which this host has no subnet. */
    own: Pick<Subnet, "family" | "id">;
    host: HostFacts;
    /** By nothing of this host: what it says of a lease is what every host says. */
    judge: (lease: Lease, family: Family) => P | Refused;
    claim?: (peer: P) => Refused | undefined;
  },
): { peers: P[]; refused: Refusal[] } {
  const peers: P[] = [];
  const refused: Refusal[] = [];
  const holders = new Map<bigint, string>([[own.id, "this host"]]);
  for (const lease of leases) {
    const peer = judge(lease, own.family);
    if (peer instanceof Refused) {
      refused.push(refusal(lease, peer));
      continue;
    }
    const why = ofThisHost(peer, host) ?? overlap(peer, holders.get(peer.id)) ??
      claim(peer);
    if (why !== undefined) {
      refused.push(refusal(lease, why));
      continue;
    }
    holders.set(peer.id, lease.subnet);
    peers.push(peer);
  }
  return { peers, refused };
}

/**
 * Tells of each value in turn, such as a key that names one host, why its claimant may not have it: the first one has it,
 * and this host its own.
 */
export function claimOnce(
  { own, code, name }: { own: string; code: RefusalCode; name: string },
): (value: string, subnet: string) => Refused | undefined {
  const holders = new Map([[own, "this host"]]);
  return (value, subnet) => {
    const holder = holders.get(value);
    if (holder !== undefined) return new Refused(code, `${name} ${value} belongs to ${holder}`);
    holders.set(value, subnet);
    return undefined;
  };
}

function ofThisHost({ lease: { publicIp }, family }: Peer, host: HostFacts): Refused | undefined {
  if (publicIp !== host.publicIp && publicIp !== host.address) return undefined;
  return new Refused("duplicate-endpoint", `${publicIpOf(family)} ${publicIp} is this host's own`);
}

function overlap({ gateway }: Peer, holder: string | undefined): Refused | undefined {
  return holder === undefined ? undefined : new Refused("overlap", `${gateway} is leased to ${holder}`);
}

/** The reason why a lease of another backend is no peer; undefined for one of this backend. */
export function requireType({ backendType }: Lease, type: string): Refused | undefined {
  if (backendType === type) return undefined;
  return new Refused("other-backend", `its backend is ${quoted(backendType || "udp")}, not "${type}"`);
}

/**
 * Whether the lease names a subnet of this family, and an address of the same family to send to: an overlay goes over
 * an underlay of its own family.
 */
export function readPeer(lease: Lease, family: Family): Peer | Refused {
  return known(lease, family);
}

/** One changed lease must not cost reading all of them again, nor must another host's place to look from. */
const known = memo(read);

function read(lease: Lease, family: Family): Peer | Refused {
  const subnet = readSubnet(lease.subnet);
  if (subnet?.family !== family) {
    return new Refused("bad-subnet", `${quoted(lease.subnet)} is not an IPv${family} subnet`);
  }
  if (!isEndpoint(lease.publicIp, family)) {
    const what = `${publicIpOf(family)} ${quoted(lease.publicIp)}`;
    return new Refused("bad-endpoint", `${what} cannot be a host's IPv${family} address`);
  }
  return { lease, ...subnet };
}

/** The name of the address in flannel's leases. */
export function publicIpOf(family: Family): string {
  return family === 4 ? "PublicIP" : "PublicIPv6";
}

/** The subnet's first address as one that a device has: of its link nobody else is there. */
export function deviceAddress({ family, gateway }: Subnet): string {
  return `${gateway}/${bits(family)}`;
}

export function refusal(lease: Lease, { code, reason }: Refused): Refusal {
  return { subnet: printable(lease.subnet), code, reason };
}

function readSubnet(text: string): Subnet | undefined {
  try {
    const { family, address, length } = parseCidr(text);
    if (address === 0n) return undefined;
    return { family, id: address, gateway: text.slice(0, text.indexOf("/")), prefixLength: length };
  } catch {
    // The reason is the caller's to give, with the value.
    return undefined;
  }
}

function isEndpoint(text: string, family: Family): boolean {
  try {
    const ip = parseIp(text);
    return ip.family === family && isHostAddress(ip);
  } catch {
    // As above.
    return false;
  }
}
