/** Which subnets of a network are free, without listing them all: a /8 of /30s holds four million, a /16 of /64s 2^48. */
import { bits, type Family, formatCidr, lastAddress, parseCidr } from "../net/ip.ts";
import { memo } from "../net/memo.ts";
import { subnetIn } from "./key.ts";
import type { PastLease, Snapshot } from "./store.ts";
import { isSubnetOf, type SubnetRange } from "./subnet_range.ts";

/** How many candidates are looked for, as in flannel. */
const CANDIDATES = 100;

interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

/** One family of a network, and what the store holds of it. */
export interface Occupied {
  readonly config: SubnetRange;
  readonly snapshot: Pick<Snapshot, "records" | "past">;
}

/** Whether no live record of the snapshot, usable or not, holds any of the subnet. */
export function isFree(subnet: string, { config, snapshot }: Occupied): boolean {
  const { first, last } = rangeOf(subnet);
  return taken(config, snapshot.records).every((range) => range.last < first || range.first > last);
}

/**
 * Up to 100 free subnets of the best kind there is: never leased, in the order of their addresses; or else
 * released, or else expired, longest ago first; or else merely free now.
 */
export function candidates({ config, snapshot }: Occupied): string[] {
  const live = merged(taken(config, snapshot.records));
  const unused = gaps(config, merged([...live, ...taken(config, snapshot.past)]));
  if (unused.length > 0) return unused;
  for (const how of ["released", "expired"] as const) {
    const former = formerly(config, { past: snapshot.past.filter((lease) => lease.how === how), live });
    if (former.length > 0) return former;
  }
  return gaps(config, live);
}

function formerly(
  config: SubnetRange,
  { past, live }: { past: readonly PastLease[]; live: readonly Range[] },
): string[] {
  const found: string[] = [];
  for (const { key } of past.toSorted((a, b) => a.ended - b.ended || (a.key < b.key ? -1 : 1))) {
    if (found.length === CANDIDATES) break;
    const subnet = subnetIn(key, config.network.family);
    if (
      subnet !== undefined && isSubnetOf(config, parseCidr(subnet)) && !overlapsAny(rangeOf(subnet), live)
    ) {
      found.push(subnet);
    }
  }
  return found;
}

/** The subnets of the config's range that touch none of the sorted, disjoint ranges. */
function gaps(config: SubnetRange, occupied: readonly Range[]): string[] {
  const { network: { family }, subnetLength: length, subnetMax } = config;
  const step = 1n << BigInt(bits(family) - length);
  const found: string[] = [];
  let next = config.subnetMin.address;
  let i = 0;
  while (next <= subnetMax.address && found.length < CANDIDATES) {
    while (i < occupied.length && occupied[i]!.last < next) i++;
    const obstacle = occupied[i];
    if (obstacle === undefined || obstacle.first >= next + step) {
      found.push(formatCidr({ family, address: next, length }));
      next += step;
    } else {
      next = (obstacle.last / step + 1n) * step;
    }
  }
  return found;
}

/**
 * The ranges of the keys that name a subnet. One that covers the whole network is nobody's subnet (every view
 * refuses it as `covers-network`); if it counted, a single such key would keep all hosts out.
 */
function taken(config: SubnetRange, items: readonly { readonly key: string }[]): Range[] {
  const whole = { first: config.network.address, last: lastAddress(config.network) };
  const { family } = config.network;
  return items.map((item) => held(item, undefined)[family]).filter((range) => range !== undefined)
    .filter(({ first, last }) => first > whole.first || last < whole.last);
}

/** What a record holds of each family: looked at again and again, and two families of ten thousand take long to read. */
const held = memo((
  { key }: { readonly key: string },
  _: undefined,
): Readonly<Record<Family, Range | undefined>> => {
  const [subnet, subnet6] = [subnetIn(key, 4), subnetIn(key, 6)];
  return {
    4: subnet === undefined ? undefined : rangeOf(subnet),
    6: subnet6 === undefined ? undefined : rangeOf(subnet6),
  };
});

function merged(ranges: readonly Range[]): Range[] {
  const result: Range[] = [];
  for (const range of ranges.toSorted((a, b) => a.first < b.first ? -1 : a.first > b.first ? 1 : 0)) {
    const last = result.at(-1);
    if (last !== undefined && range.first <= last.last + 1n) {
      const end = range.last > last.last ? range.last : last.last;
      result[result.length - 1] = { first: last.first, last: end };
    } else result.push(range);
  }
  return result;
}

function overlapsAny(range: Range, sorted: readonly Range[]): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]!.last < range.first) low = middle + 1;
    else high = middle;
  }
  return low < sorted.length && sorted[low]!.first <= range.last;
}

function rangeOf(subnet: string): Range {
  const cidr = parseCidr(subnet);
  return { first: cidr.address, last: lastAddress(cidr) };
}
