/**
 * What one host knows of its network: its own lease and every peer that can be used. Each record is judged on
 * its own; a bad one is refused with a reason and never hides or removes another.
 */
import { memo } from "../net/memo.ts";
import { contains, covers, type Family, formatCidr, isHostAddress, parseCidr, parseIp } from "../net/ip.ts";
import { decodeRecord, isRefusal } from "./decode.ts";
import { byFirst, disjoint, type Position, positionOf, type Range, rangeOf } from "./disjoint.ts";
import { halfOf } from "./half.ts";
import type { Subnets } from "./key.ts";
import type { Lease, Refusal } from "./lease.ts";
import type { NetworkConfig } from "./network.ts";
import { isUnclaimed } from "./reservation.ts";
import type { Snapshot } from "./store.ts";
import { longestSubnet, type SubnetRange } from "./subnet_range.ts";

export interface View {
  readonly network: NetworkConfig;
  /** Undefined before a lease was acquired, and after one was lost. */
  readonly own: Lease | undefined;
  /** Valid, disjoint, inside the network, sorted by subnet. In dual stack some may have their IPv4 half only. */
  readonly peers: readonly Lease[];
  readonly refused: readonly Refusal[];
}

/** One half of a lease, judged. */
interface Candidate extends Range {
  readonly lease: Lease;
  /** The lease as its half of this family alone. */
  readonly half: Lease;
  readonly length: number;
}

/** A lease that holds its subnet, and in dual stack its IPv6 subnet as well, or not. */
interface Settled {
  readonly lease: Lease;
  readonly first: Candidate;
  readonly second: Candidate | undefined;
}

/**
 * The view of the host `node`. Refuses, beyond what {@link decodeRecord} does: `bad-length`,
 * `outside-network`, `covers-network`, `bad-endpoint`, `overlap`, `second-lease` (a host's further lease), and
 * `covers-host`: it holds one of the `local` addresses, which this host has or needs outside the overlay. A
 * reservation that nobody has claimed is no peer and nothing is wrong with it: {@link unclaimedIn} lists those.
 *
 * Where leases overlap, every host must name the same winner, whichever of them it holds itself. The one that has the
 * form of the network's own (its subnet length, and two halves in dual stack alone) wins, because two such leases of
 * IPv4 share their key and so cannot both exist; a renewal changes nothing about that. Among the others the older
 * revision wins.
 *
 * In dual stack a lease is used for the half that it has, as by flannel: one of IPv4 alone is a peer for IPv4. Its IPv6
 * half is judged apart, and where that is refused, under its own subnet, the lease goes on without it.
 */
export function makeView(
  snapshot: Snapshot,
  { node, network, local = [] }: { node: string; network: NetworkConfig; local?: readonly string[] },
): View {
  const { kept, unfit } = holders(snapshot, network);
  const refused = [...unfit];
  const isOwn = ({ lease }: Settled) => lease.node === node;
  const mine = kept.filter(isOwn);
  const own = mine[0]?.lease;
  for (const { lease } of mine.slice(1)) {
    refused.push({
      subnet: lease.subnet,
      code: "second-lease",
      reason: `this host holds ${own!.subnet} already`,
    });
  }
  const addresses = local.map((text): Place => {
    const ip = parseIp(text);
    return { text, family: ip.family, at: positionOf(ip) };
  });
  const host = { own, addresses };
  const peers: Lease[] = [];
  for (const one of kept) {
    if (isOwn(one)) continue;
    const why = foreignTo(one.first, host);
    const why6 = one.second && foreignTo(one.second, { ...host, own: own && halfOf(own, 6) });
    if (why !== undefined) refused.push(why);
    else {
      if (why6 !== undefined) refused.push(why6);
      peers.push(why6 === undefined ? one.lease : halfOf(one.lease, 4)!);
    }
  }
  return { network, own, peers, refused };
}

/** An address of this host outside the overlay. */
interface Place {
  readonly text: string;
  readonly family: Family;
  readonly at: Position;
}

/** Why this host cannot have a peer that every other host may have. */
function foreignTo(
  { half: { subnet, publicIp }, first, last }: Candidate,
  { own, addresses }: { own: Lease | undefined; addresses: readonly Place[] },
): Refusal | undefined {
  if (own !== undefined && own.publicIp === publicIp) {
    return { subnet, code: "bad-endpoint", reason: `its endpoint ${publicIp} is this host's own` };
  }
  const family = typeof first === "bigint" ? 6 : 4;
  const held = addresses.find((one) => one.family === family && one.at >= first && one.at <= last);
  if (held === undefined) return undefined;
  return { subnet, code: "covers-host", reason: `it holds ${held.text}, an address or gateway of this host` };
}

/**
 * Who holds any of `subnets` in place of the host that believes it has them, by the rule by which all hosts judge; `isOwn`
 * tells which leases that host does not mind. Undefined where nobody does. What cannot be used holds nothing.
 */
export function holderInstead(
  snapshot: Pick<Snapshot, "records">,
  { subnets: { subnet, subnet6 }, isOwn, network }: {
    subnets: Subnets;
    isOwn: (lease: Lease) => boolean;
    network: NetworkConfig;
  },
): Lease | undefined {
  const { candidates } = judgeAll(snapshot, network);
  const isRival = ({ lease, first, last }: Candidate, range: Range) =>
    first <= range.last && last >= range.first && !isOwn(lease);
  const range = rangeOf(parseCidr(subnet));
  const isContested = candidates.some((one) => isRival(one, range));
  if (!isContested && (network.ipv6 === undefined || subnet6 === undefined)) return undefined;
  const kept = settle(candidates, { network, refused: [] });
  const rival = kept.find(({ first }) => isRival(first, range));
  if (rival !== undefined || subnet6 === undefined) return rival?.lease;
  const range6 = rangeOf(parseCidr(subnet6));
  return kept.find(({ second }) => second !== undefined && isRival(second, range6))?.lease;
}

/** The reservations of subnets of the network that no host has claimed, in the order of their keys. */
export function unclaimedIn(snapshot: Snapshot, network: NetworkConfig): readonly Lease[] {
  return snapshot.records.map(decodeRecord).filter((one): one is Lease =>
    !isRefusal(one) && place(one, network) === "unclaimed"
  );
}

/** Who holds what, whoever looks: a command looks at the same leases in several ways. */
const holders = memo((
  snapshot: Pick<Snapshot, "records">,
  network: NetworkConfig,
): { readonly kept: readonly Settled[]; readonly unfit: readonly Refusal[] } => {
  const { candidates, refused } = judgeAll(snapshot, network);
  const kept = settle(candidates, { network, refused });
  return { kept, unfit: refused };
});

function judgeAll(
  { records }: Pick<Snapshot, "records">,
  network: NetworkConfig,
): { candidates: Candidate[]; refused: Refusal[] } {
  const refused: Refusal[] = [];
  const candidates: Candidate[] = [];
  for (const record of records) {
    const decoded = decodeRecord(record);
    const judged = isRefusal(decoded) ? decoded : place(decoded, network);
    if (judged === "unclaimed") continue;
    if ("reason" in judged) refused.push(judged);
    else candidates.push(judged);
  }
  return { candidates, refused };
}

/** Who keeps what where leases overlap. The first family decides about a lease, the second about its other half alone. */
function settle(
  candidates: readonly Candidate[],
  { network, refused }: { network: NetworkConfig; refused: Refusal[] },
): Settled[] {
  const contested = (all: readonly Candidate[], subnetLength: number) => {
    const isDual = network.ipv6 !== undefined;
    const { kept, lost } = disjoint(all, (a, b) => claimOrder(a, b, { subnetLength, isDual }));
    for (const { item, to } of lost) {
      const reason = `it overlaps ${holderOf(to.half)}`;
      refused.push({ subnet: item.half.subnet, code: "overlap", reason });
    }
    return kept;
  };
  const first = contested(candidates, network.subnetLength);
  if (network.ipv6 === undefined) {
    return first.map((one) => ({ lease: one.lease, first: one, second: undefined }));
  }
  const seconds: Candidate[] = [];
  for (const { lease } of first) {
    const judged = secondPlace(lease, network);
    if (judged !== undefined && "reason" in judged) refused.push(judged);
    else if (judged !== undefined) seconds.push(judged);
  }
  const second = new Map(contested(seconds, network.ipv6.subnetLength).map((one) => [one.lease, one]));
  return first.map((one) => {
    const other = second.get(one.lease);
    return { lease: other === undefined ? halfOf(one.lease, 4)! : one.lease, first: one, second: other };
  });
}

/** A host looks at the same leases again whenever one of them changes. */
const place = memo((lease: Lease, network: NetworkConfig): Candidate | Refusal | "unclaimed" => {
  const fault = misplaced(lease.subnet, network);
  if (fault !== undefined) return fault;
  if (isUnclaimed(lease, network)) return "unclaimed";
  return badEndpoint(lease, network) ?? candidate(lease, lease);
});

/** The IPv6 half of a lease of a dual-stack network, undefined where the lease has none. */
const secondPlace = memo((lease: Lease, { ipv6 }: NetworkConfig): Candidate | Refusal | undefined => {
  const { subnet6: subnet } = lease;
  if (subnet === undefined || ipv6 === undefined) return undefined;
  const half = halfOf(lease, 6);
  if (half === undefined) return { subnet, code: "bad-endpoint", reason: "it has no IPv6 endpoint" };
  return misplaced(subnet, ipv6) ?? badEndpoint(half, ipv6) ?? candidate(lease, half);
});

function candidate(lease: Lease, half: Lease): Candidate {
  const cidr = parseCidr(half.subnet);
  return { lease, half, length: cidr.length, ...rangeOf(cidr) };
}

function misplaced(subnet: string, { network }: SubnetRange): Refusal | undefined {
  const cidr = parseCidr(subnet);
  if (covers(cidr, network)) {
    return { subnet, code: "covers-network", reason: `it covers the network ${formatCidr(network)}` };
  }
  if (!covers(network, cidr)) {
    return { subnet, code: "outside-network", reason: `it is not in the network ${formatCidr(network)}` };
  }
  if (cidr.length <= longestSubnet(cidr.family)) return undefined;
  return { subnet, code: "bad-length", reason: `a /${cidr.length} has no room for a host` };
}

function badEndpoint({ subnet, publicIp }: Lease, { network }: SubnetRange): Refusal | undefined {
  const endpoint = parseIp(publicIp);
  const refuse = (why: string): Refusal => ({
    subnet,
    code: "bad-endpoint",
    reason: `its endpoint ${publicIp} ${why}`,
  });
  if (!isHostAddress(endpoint)) return refuse("cannot be a host's address");
  return contains(network, endpoint) ? refuse("is inside the network itself") : undefined;
}

function claimOrder(
  a: Candidate,
  b: Candidate,
  { subnetLength, isDual }: { subnetLength: number; isDual: boolean },
): number {
  const fits = (one: Candidate) => one.length === subnetLength ? 0 : 1;
  const stack = ({ lease }: Candidate) => (lease.subnet6 !== undefined) === isDual ? 0 : 1;
  return fits(a) - fits(b) || stack(a) - stack(b) || a.lease.revision - b.lease.revision || byFirst(a, b) ||
    a.length - b.length;
}

function holderOf(lease: Lease): string {
  return `${lease.subnet} of ${lease.publicIp}${lease.node === undefined ? "" : ` (node ${lease.node})`}`;
}
