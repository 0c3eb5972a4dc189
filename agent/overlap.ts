/** What of a host's own routes and addresses a network would overlap: their packets would go into the tunnel. Pure. */
import { type Cidr, covers, formatCidr, overlaps, parseCidr, parsePrefix } from "../net/ip.ts";
import { invalid } from "../net/errors.ts";
import { isFlans } from "../kernel/ownership.ts";
import { type Address, describe, type KernelObject, type Route, ROUTE_PROTOCOL } from "../kernel/state.ts";

/** How many are named in a sentence. */
const NAMED = 3;

/** A route or an address that is not flan's, with what it covers. */
export interface Covering {
  readonly object: Route | Address;
  readonly cidr: Cidr;
}

/**
 * The routes and addresses of a host that are not flan's: nothing that bears its mark or lives on its links, no default
 * route, and no route that only refuses packets. A connected route goes with the address that it comes from.
 */
export function coveringOf(objects: readonly KernelObject[]): readonly Covering[] {
  const flans = new Set(
    objects.flatMap((one) => one.kind === "link" && isFlans(one.alias) ? [one.name] : []),
  );
  const addresses = objects.filter((one): one is Address => one.kind === "address" && !flans.has(one.link))
    .map((object) => ({ object, cidr: parsePrefix(object.address).cidr }));
  const connected = new Set(addresses.map(({ object, cidr }) => `${formatCidr(cidr)} ${object.link}`));
  const routes = objects.filter((one): one is Route =>
    one.kind === "route" && one.type === "unicast" && one.protocol !== ROUTE_PROTOCOL && !flans.has(one.link)
  ).map((object) => ({ object, cidr: parseCidr(object.destination) }));
  return [
    ...addresses,
    ...routes.filter(({ object, cidr }) =>
      cidr.length > 0 && !connected.has(`${formatCidr(cidr)} ${object.link}`)
    ),
  ];
}

/**
 * Those that overlap `network`, also in part or from around it. What lies in the host's `own` subnet is its bridge and
 * its containers.
 */
export function overlapsOf(
  network: Cidr,
  { objects, own }: { objects: readonly KernelObject[]; own: string | undefined },
): readonly Covering[] {
  const subnet = own === undefined ? undefined : parseCidr(own);
  return coveringOf(objects).filter(({ cidr }) =>
    overlaps(network, cidr) && !(subnet !== undefined && covers(subnet, cidr))
  );
}

/** `address 10.244.3.4/24 dev docker0 and route 10.244.0.0/20 dev eth0`, with the number of further ones. */
export function namedOverlaps(found: readonly Covering[]): string {
  const shown = found.slice(0, NAMED).map(({ object }) => describe(object)).join(" and ");
  return found.length > NAMED ? `${shown} and ${found.length - NAMED} more` : shown;
}

/** Throws `invalid` naming what the network overlaps on this host. */
export function requireNoOverlap(
  network: Cidr,
  host: { objects: readonly KernelObject[]; own: string | undefined },
): void {
  const found = overlapsOf(network, host);
  if (found.length === 0) return;
  throw invalid(
    "network",
    `Cannot join network ${formatCidr(network)}: it overlaps this host's ${namedOverlaps(found)}`,
    "start a network elsewhere with --network, or join with --allow-overlap where that is meant",
  );
}
