/** The vxlan backend's direct routing: peers on the underlay's own link get a plain route, the others the tunnel. */
import type { PeerPlan, Plan, Underlay } from "./backend.ts";
import { directRoute, linkTest } from "./direct.ts";
import type { VxlanPeer } from "./vxlan_peers.ts";

/** `tunnel` plans for those who need it. Decided anew by each plan, so that peers change over as the underlay does. */
export function planDirect(
  peers: readonly VxlanPeer[],
  { underlay, tunnel }: { underlay: Underlay; tunnel: (distant: readonly VxlanPeer[]) => Plan },
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
