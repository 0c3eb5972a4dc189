/** The choice of a subnet that this host does not hold yet; in dual stack of two, each of its family. Pure. */
import { FlanError, invalid } from "../net/errors.ts";
import { type Cidr, formatCidr, parseCidr, size } from "../net/ip.ts";
import { candidates, isFree } from "./free_subnets.ts";
import { holdersOf, holderText } from "./held.ts";
import { subnetIn, type Subnets } from "./key.ts";
import type { NetworkConfig } from "./network.ts";
import type { Snapshot } from "./store.ts";
import { isSubnetOf, subnetCount, type SubnetRange } from "./subnet_range.ts";

/** What a host would like to have, of the first family and of IPv6 in dual stack. */
export interface Wishes {
  /** The subnet this host must get, or undefined for any. */
  readonly wish?: string | undefined;
  readonly wish6?: string | undefined;
  /** The subnet this host had once, taken again if it can be. */
  readonly previous?: string | undefined;
  readonly previous6?: string | undefined;
  /** The subnet this host is in, as far as it knows: containers have addresses of it. */
  readonly current?: string | undefined;
  readonly current6?: string | undefined;
}

export interface ChooseRequest extends Wishes {
  readonly config: NetworkConfig;
  readonly snapshot: Snapshot;
  /** flan's identity of this host. */
  readonly node: string;
  /** Chooses one of `count` candidates, 0 ≤ n < count; the first unless given. */
  readonly pick?: ((count: number) => number) | undefined;
}

export interface Chosen extends Subnets {
  readonly how: "wish" | "previous" | "free";
}

/**
 * The wish; the subnet that the host is in, or the previous one, or the one whose lease of this node expired; a free
 * one. The IPv6 subnet of dual stack is then, in place of just any free one, the one that stands as far from the first
 * as the other does: people read it more easily, and two hosts that want the same subnet at once want the same key.
 *
 * Throws `failed` where another host holds the wished subnet, and `out-of-subnets`.
 */
export function chooseSubnets(request: ChooseRequest): Chosen {
  const { config, snapshot, node } = request;
  const expired = expiredKey(snapshot, node);
  const formerly = expired && subnetIn(expired, config.network.family);
  const { wish, wish6, current, current6, previous, previous6 } = request;
  const first = chooseHalf(config, { ...request, wish, former: [current, previous, formerly] });
  if (config.ipv6 === undefined) return first;
  const formerly6 = expired && subnetIn(expired, 6);
  const paired = counterpart(first.subnet, { config, ipv6: config.ipv6 });
  const second = chooseHalf(config.ipv6, {
    ...request,
    wish: wish6,
    former: [current6, previous6, formerly6, paired],
  });
  return { ...first, subnet6: second.subnet };
}

/** Whether it can be leased. What a host remembers of its past comes from a file and may be anything. */
export function isOpen(
  subnet: string,
  { config, snapshot }: { config: SubnetRange; snapshot: Snapshot },
): boolean {
  try {
    return isSubnetOf(config, parseCidr(subnet)) && isFree(subnet, { config, snapshot });
  } catch {
    return false;
  }
}

/** The wish, canonical. Throws `invalid` for what is no subnet of the range. */
export function wishedSubnet(range: SubnetRange, wish: string): string {
  const cidr = parseCidr(wish);
  if (isSubnetOf(range, cidr)) return formatCidr(cidr);
  throw invalid(
    "lease.acquire",
    `Cannot lease ${formatCidr(cidr)}: the network's subnets are ${rangeText(range)}`,
  );
}

/** `10.5.1.0/24 to 10.5.255.0/24`. */
export function rangeText({ subnetMin, subnetMax }: SubnetRange): string {
  return `${formatCidr(subnetMin)} to ${formatCidr(subnetMax)}`;
}

function chooseHalf(
  range: SubnetRange,
  { config, snapshot, wish, former, pick = () => 0 }: Omit<ChooseRequest, "wish"> & {
    wish: string | undefined;
    former: readonly (string | undefined)[];
  },
): Chosen {
  const occupied = { config: range, snapshot };
  if (wish !== undefined) {
    if (!isFree(wish, occupied)) throw wishTaken(wish, { config, snapshot });
    return { subnet: wish, how: "wish" };
  }
  const again = former.find((subnet) => subnet !== undefined && isOpen(subnet, occupied));
  if (again !== undefined) return { subnet: again, how: "previous" };
  const free = candidates(occupied);
  const subnet = free[pick(Math.max(1, free.length))];
  if (subnet === undefined) throw outOfSubnets(range);
  return { subnet, how: "free" };
}

/** The key of the node's lease that expired last. */
function expiredKey({ past }: Snapshot, node: string): string | undefined {
  const own = past.filter((lease) => lease.node === node).sort((a, b) => b.ended - a.ended);
  return own[0]?.key;
}

/** The IPv6 subnet at the same place among its like as `subnet`, if there are so many. */
function counterpart(
  subnet: string,
  { config, ipv6 }: { config: SubnetRange; ipv6: SubnetRange },
): string | undefined {
  const cidr = parseCidr(subnet);
  const index = (cidr.address - config.subnetMin.address) / size(cidr);
  const { subnetMin, subnetMax } = ipv6;
  const address = subnetMin.address + index * size(subnetMin);
  const there: Cidr = { ...subnetMin, address };
  return address > subnetMax.address ? undefined : formatCidr(there);
}

function wishTaken(
  wish: string,
  { config, snapshot }: { config: NetworkConfig; snapshot: Snapshot },
): FlanError {
  const other = holdersOf(wish, { config, snapshot })[0];
  const holder = other === undefined ? "another lease" : holderText(other, config);
  return new FlanError(`Cannot lease ${wish}: it is held by ${holder}`, {
    op: "lease.acquire",
    code: "failed",
    hint: "flan lease list",
  });
}

function outOfSubnets(range: SubnetRange): FlanError {
  return new FlanError(
    `Cannot lease a subnet of ${formatCidr(range.network)}: out of subnets, all ${
      subnetCount(range)
    } /${range.subnetLength} are taken`,
    {
      op: "lease.acquire",
      code: "out-of-subnets",
      hint: "flan lease list shows who holds them; flan lease revoke frees one",
    },
  );
}
