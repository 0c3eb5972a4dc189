/**
 * What one host knows of its network: its own lease and every peer that can be used. Each record is judged on
 * its own; a bad one is refused with a reason and never hides or removes another.
 */
import { memo } from "../net/memo.ts";
import {
  type Cidr,
  contains,
  covers,
  formatCidr,
  isHostAddress,
  lastAddress,
  parseCidr,
  parseIp,
} from "../net/ip.ts";
import { decodeRecord, isRefusal } from "./decode.ts";
import { disjoint, type Range } from "./disjoint.ts";
import type { Lease, Refusal } from "./lease.ts";
import type { NetworkConfig } from "./network.ts";
import { isUnclaimed } from "./reservation.ts";
import type { Snapshot } from "./store.ts";

export interface View {
  readonly network: NetworkConfig;
  /** Undefined before a lease was acquired, and after one was lost. */
  readonly own: Lease | undefined;
  /** Valid, disjoint, inside the network, sorted by subnet. */
  readonly peers: readonly Lease[];
  readonly refused: readonly Refusal[];
}

interface Candidate extends Range {
  readonly lease: Lease;
  readonly length: number;
}

/** A subnet longer than this has no room for the tunnel's and the bridge's address. */
const LONGEST_SUBNET = 30;

/**
 * The view of the host `node`. Refuses, beyond what {@link decodeRecord} does: `bad-length`,
 * `outside-network`, `covers-network`, `bad-endpoint`, `overlap`, `second-lease` (a host's further lease), and
 * `covers-host`: it holds one of the `local` addresses, which this host has or needs outside the overlay. A
 * reservation that nobody has claimed is no peer and nothing is wrong with it: {@link unclaimedIn} lists those.
 *
 * Where leases overlap, every host must name the same winner, whichever of them it holds itself. The one with
 * the network's own subnet length wins, because two such leases share their key and so cannot both exist, or one of
 * them is a dual-stack one, which then loses; a renewal changes nothing about that. Among the others the older
 * revision wins.
 */
export function makeView(
  snapshot: Snapshot,
  { node, network, local = [] }: { node: string; network: NetworkConfig; local?: readonly string[] },
): View {
  const { kept, unfit } = holders(snapshot, network);
  const refused = [...unfit];
  const isOwn = (lease: Lease) => lease.node === node && lease.subnet6 === undefined;
  const mine = kept.filter(({ lease }) => isOwn(lease));
  const own = mine[0]?.lease;
  for (const { lease } of mine.slice(1)) {
    refused.push({
      subnet: lease.subnet,
      code: "second-lease",
      reason: `this host holds ${own!.subnet} already`,
    });
  }
  const addresses = local.map((text) => ({ text, value: Number(parseIp(text).value) }));
  const peers: Lease[] = [];
  for (const { lease, first, last } of kept) {
    if (isOwn(lease)) continue;
    const held = addresses.find(({ value }) => value >= first && value <= last);
    if (own !== undefined && own.publicIp === lease.publicIp) {
      const reason = `its endpoint ${lease.publicIp} is this host's own`;
      refused.push({ subnet: lease.subnet, code: "bad-endpoint", reason });
    } else if (held !== undefined) {
      const reason = `it holds ${held.text}, an address or gateway of this host`;
      refused.push({ subnet: lease.subnet, code: "covers-host", reason });
    } else peers.push(lease);
  }
  return { network, own, peers, refused };
}

/**
 * Who holds any of `subnet` in place of the host that believes it has it, by the rule by which all hosts judge; `isOwn`
 * tells which leases that host does not mind. Undefined where nobody does. What cannot be used holds nothing.
 */
export function holderInstead(
  snapshot: Pick<Snapshot, "records">,
  { subnet, isOwn, network }: { subnet: string; isOwn: (lease: Lease) => boolean; network: NetworkConfig },
): Lease | undefined {
  const range = rangeOf(parseCidr(subnet));
  const isRival = ({ lease, first, last }: Candidate) =>
    first <= range.last && last >= range.first && !isOwn(lease);
  const { candidates } = judgeAll(snapshot, network);
  if (!candidates.some(isRival)) return undefined;
  return contested(candidates, network).kept.find(isRival)?.lease;
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
): { readonly kept: readonly Candidate[]; readonly unfit: readonly Refusal[] } => {
  const { candidates, refused } = judgeAll(snapshot, network);
  const { kept, lost } = contested(candidates, network);
  const losers = lost.map(({ item, to }): Refusal => ({
    subnet: item.lease.subnet,
    code: "overlap",
    reason: `it overlaps ${holderOf(to.lease)}`,
  }));
  return { kept, unfit: [...refused, ...losers] };
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

function contested(candidates: readonly Candidate[], network: NetworkConfig) {
  return disjoint(candidates, (a, b) => claimOrder(a, b, network));
}

/** A host looks at the same leases again whenever one of them changes. */
const place = memo(judge);

function judge(lease: Lease, network: NetworkConfig): Candidate | Refusal | "unclaimed" {
  const { subnet, publicIp } = lease;
  const cidr = parseCidr(subnet);
  const whole = network.network;
  if (covers(cidr, whole)) {
    return { subnet, code: "covers-network", reason: `it covers the network ${formatCidr(whole)}` };
  }
  if (!covers(whole, cidr)) {
    return { subnet, code: "outside-network", reason: `it is not in the network ${formatCidr(whole)}` };
  }
  if (cidr.length > LONGEST_SUBNET) {
    return { subnet, code: "bad-length", reason: `a /${cidr.length} has no room for a host` };
  }
  if (isUnclaimed(lease, network)) return "unclaimed";
  const endpoint = parseIp(publicIp);
  if (!isHostAddress(endpoint)) {
    return { subnet, code: "bad-endpoint", reason: `its endpoint ${publicIp} cannot be a host's address` };
  }
  if (contains(whole, endpoint)) {
    return { subnet, code: "bad-endpoint", reason: `its endpoint ${publicIp} is inside the network itself` };
  }
  return { lease, length: cidr.length, ...rangeOf(cidr) };
}

function rangeOf(cidr: Cidr): Range {
  return { first: Number(cidr.address), last: Number(lastAddress(cidr)) };
}

function claimOrder(a: Candidate, b: Candidate, network: NetworkConfig): number {
  const fits = (candidate: Candidate) => candidate.length === network.subnetLength ? 0 : 1;
  const dual = ({ lease }: Candidate) => lease.subnet6 === undefined ? 0 : 1;
  return fits(a) - fits(b) || dual(a) - dual(b) || a.lease.revision - b.lease.revision || a.first - b.first ||
    a.length - b.length;
}

function holderOf(lease: Lease): string {
  return `${lease.subnet} of ${lease.publicIp}${lease.node === undefined ? "" : ` (node ${lease.node})`}`;
}
