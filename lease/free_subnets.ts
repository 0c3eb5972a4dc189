/** Which subnets of a network are free, without listing them all: a /8 of /30s holds four million. */
import { lastAddress, parseCidr } from "../net/ip.ts";
import { subnetOfKey } from "./key.ts";
import { isSubnetOf, type NetworkConfig } from "./network.ts";
import type { PastLease, Snapshot } from "./store.ts";

/** How many candidates are looked for, as in flannel. */
const CANDIDATES = 100;

interface Range {
  readonly first: number;
  readonly last: number;
}

/** Whether no live record of the snapshot, usable or not, holds any of the subnet. */
export function isFree(
  subnet: string,
  { config, snapshot }: { config: NetworkConfig; snapshot: Snapshot },
): boolean {
  const { first, last } = rangeOf(subnet);
  return taken(config, snapshot.records).every((range) => range.last < first || range.first > last);
}

/**
 * Up to 100 free subnets of the best kind there is: never leased, in the order of their addresses; or else
 * released, or else expired, longest ago first; or else merely free now.
 */
export function candidates(config: NetworkConfig, snapshot: Snapshot): string[] {
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
  config: NetworkConfig,
  { past, live }: { past: readonly PastLease[]; live: readonly Range[] },
): string[] {
  const found: string[] = [];
  for (const { key } of past.toSorted((a, b) => a.ended - b.ended || (a.key < b.key ? -1 : 1))) {
    if (found.length === CANDIDATES) break;
    const subnet = subnetOfKey(key);
    if (
      subnet !== undefined && isSubnetOf(config, parseCidr(subnet)) && !overlapsAny(rangeOf(subnet), live)
    ) {
      found.push(subnet);
    }
  }
  return found;
}

/** The subnets of the config's range that touch none of the sorted, disjoint ranges. */
function gaps(config: NetworkConfig, occupied: readonly Range[]): string[] {
  const step = 2 ** (32 - config.subnetLength);
  const end = Number(config.subnetMax.address);
  const found: string[] = [];
  let next = Number(config.subnetMin.address);
  let i = 0;
  while (next <= end && found.length < CANDIDATES) {
    while (i < occupied.length && occupied[i]!.last < next) i++;
    const obstacle = occupied[i];
    if (obstacle === undefined || obstacle.first > next + step - 1) {
      found.push(format(next, config.subnetLength));
      next += step;
    } else {
      next = (Math.floor(obstacle.last / step) + 1) * step;
    }
  }
  return found;
}

/**
 * The ranges of the keys that name a subnet. One that covers the whole network is nobody's subnet (every view
 * refuses it as `covers-network`); if it counted, a single such key would keep all hosts out.
 */
function taken(config: NetworkConfig, items: readonly { readonly key: string }[]): Range[] {
  const whole = { first: Number(config.network.address), last: Number(lastAddress(config.network)) };
  return items.map(({ key }) => subnetOfKey(key)).filter((subnet) => subnet !== undefined).map(rangeOf)
    .filter(({ first, last }) => first > whole.first || last < whole.last);
}

function merged(ranges: readonly Range[]): Range[] {
  const result: Range[] = [];
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    const last = result.at(-1);
    if (last !== undefined && range.first <= last.last + 1) {
      result[result.length - 1] = { first: last.first, last: Math.max(last.last, range.last) };
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
  const first = Number(cidr.address);
  return { first, last: first + 2 ** (32 - cidr.length) - 1 };
}

function format(address: number, length: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}/${length}`;
}
