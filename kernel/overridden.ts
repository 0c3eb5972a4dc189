/**
 * Routes of others that win over flan's for a part of a destination, by a longer prefix: they stand in no object's place,
 * so that the comparison with the plan does not see them. Pure.
 */
import { type Cidr, compareCidr, covers, familyOf, lastAddress, overlaps, parseCidr } from "../net/ip.ts";
import type { Claim } from "./ownership.ts";
import { type KernelObject, keyOf, type Route } from "./state.ts";

export interface Overridden {
  /** The peer's, some or all of whose addresses are concerned. */
  readonly subnet: string;
  readonly planned: Route;
  readonly found: Route;
}

/** A lease's subnet, or those of both families. */
interface Subnets {
  readonly subnet: string;
  readonly subnet6?: string | undefined;
}

/** What is planned, and for each peer the keys of what its packets need. */
export interface PlannedWays {
  readonly objects: readonly KernelObject[];
  readonly peers: readonly { readonly lease: Subnets; readonly keys: readonly string[] }[];
}

/** The networks of this host, and its own lease in them. */
export interface OwnPlace {
  readonly networks: readonly Cidr[];
  readonly own: Subnets | undefined;
}

/**
 * By subnet, and of one subnet in the order of `actual`. A route that leads where flan's does is none of them, and neither
 * is one inside this host's own subnet: that is for its containers.
 */
export function overridden(
  { objects, peers }: PlannedWays,
  { networks, own }: OwnPlace,
  { actual, claim }: { actual: Iterable<KernelObject>; claim: (object: KernelObject) => Claim },
): readonly Overridden[] {
  const containers = own === undefined ? [] : subnetsOf(own).map((subnet) => parseCidr(subnet));
  const others = [...actual].filter((one): one is Route => one.kind === "route" && claim(one) === "foreign")
    .map((found) => ({ found, cidr: parseCidr(found.destination) }))
    .filter(({ cidr }) =>
      networks.some((network) => covers(network, cidr)) && !containers.some((mine) => covers(mine, cidr))
    );
  if (others.length === 0) return [];
  const routes = new Map(objects.flatMap((one) => one.kind === "route" ? [[keyOf(one), one]] : []));
  const sorted = peers.flatMap(({ lease, keys }) =>
    subnetsOf(lease).map((subnet) => ({ subnet, keys, cidr: parseCidr(subnet) }))
  ).sort((a, b) => compareCidr(a.cidr, b.cidr));
  return others.flatMap(({ found, cidr }) =>
    within(sorted, cidr).flatMap(({ subnet, keys }) => {
      const planned = keys.map((key) => routes.get(key)).find((route) =>
        route !== undefined && familyOf(route.destination) === cidr.family
      );
      return planned !== undefined && wins({ found, cidr }, planned) ? [{ subnet, planned, found }] : [];
    })
  ).sort((a, b) => compareCidr(parseCidr(a.subnet), parseCidr(b.subnet)));
}

function subnetsOf({ subnet, subnet6 }: Subnets): readonly string[] {
  return subnet6 === undefined ? [subnet] : [subnet, subnet6];
}

/** Whether the packets of the longer prefix go another way than the planned route's. */
function wins({ found, cidr }: { found: Route; cidr: Cidr }, planned: Route): boolean {
  if (cidr.length <= parseCidr(planned.destination).length) return false;
  return found.type !== planned.type || found.link !== planned.link || found.gateway !== planned.gateway;
}

/** Those that overlap `cidr`; they are sorted, and overlap one another nowhere. */
function within<T extends { readonly cidr: Cidr }>(sorted: readonly T[], cidr: Cidr): readonly T[] {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const one = sorted[middle]!.cidr;
    if (one.family < cidr.family || one.family === cidr.family && lastAddress(one) < cidr.address) {
      low = middle + 1;
    } else high = middle;
  }
  const found: T[] = [];
  for (let i = low; i < sorted.length && overlaps(sorted[i]!.cidr, cidr); i++) found.push(sorted[i]!);
  return found;
}
