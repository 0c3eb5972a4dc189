/** Peers on the underlay's own link: who is one, and the plain route that takes packets there without a tunnel. */
import { defaultMetric, keyOf, type Route, ROUTE_PROTOCOL } from "../kernel/state.ts";
import { type Cidr, contains, parseCidr, parseIp } from "../net/ip.ts";
import { memo } from "../net/memo.ts";
import type { PeerPlan, Plan, Underlay } from "./backend.ts";
import type { Peer } from "./peers.ts";

/**
 * Tells of an address whether the kernel takes it for a neighbour on the underlay's link: the longest prefix that
 * holds it decides, and it must be one without a gateway.
 */
export function linkTest(
  { onLink, offLink }: Pick<Underlay, "onLink" | "offLink">,
): (address: string) => boolean {
  const [on, off] = [onLink.map(parseCidr), offLink.map(parseCidr)];
  return (address) => {
    const ip = parseIp(address);
    const longest = (prefixes: readonly Cidr[]) =>
      prefixes.reduce((most, one) => one.length > most && contains(one, ip) ? one.length : most, -1);
    return longest(on) > longest(off);
  };
}

/** `tunnel` plans for those who need it. Decided anew by each plan, so that peers change over as the underlay does. */
export function planDirect<P extends Peer>(
  peers: readonly P[],
  { underlay, tunnel }: { underlay: Underlay; tunnel: (distant: readonly P[]) => Plan },
): Plan {
  const isOnLink = linkTest(underlay);
  const { direct = [], distant = [] } = Object.groupBy(
    peers,
    ({ lease }) => isOnLink(lease.publicIp) ? "direct" : "distant",
  );
  const made = direct.map((peer) => directRoute(peer, { link: underlay.link, way: "direct" }));
  const tunnelled = tunnel(distant);
  const plans = new Map(
    [...tunnelled.peers, ...made.map(({ plan }) => plan)].map((
      plan,
    ): [object, PeerPlan] => [plan.lease, plan]),
  );
  return {
    ...tunnelled,
    objects: [...tunnelled.objects, ...made.map(({ route }) => route)],
    peers: peers.map(({ lease }) => plans.get(lease)!),
  };
}

/** The same route for the same peer each time, so that whoever compares plans sees at once what is new. */
export const directRoute = memo(
  makeRoute,
  (a, b) => a.link === b.link && a.way === b.way,
);

/** A route by the peer's own address, which must be on the link, or else the kernel refuses it (ENETUNREACH). */
function makeRoute(
  { lease }: Peer,
  { link, way }: { link: string; way: string },
): { route: Route; plan: PeerPlan } {
  const route: Route = {
    kind: "route",
    destination: lease.subnet,
    metric: defaultMetric(lease.subnet),
    link,
    gateway: lease.publicIp,
    onlink: false,
    nexthop: 0,
    type: "unicast",
    protocol: ROUTE_PROTOCOL,
  };
  return { route, plan: { lease, way, keys: [keyOf(route)] } };
}
