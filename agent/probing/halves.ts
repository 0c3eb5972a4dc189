/** The families by which a network can be measured: a dual-stack one by each of them for itself. Pure. */
import { hostOf } from "../../backends/dual.ts";
import type { Host, PeerPlan, Plan } from "../../backends/backend.ts";
import { halfOf } from "../../lease/half.ts";
import type { Lease } from "../../lease/lease.ts";
import type { NetworkConfig } from "../../lease/network.ts";
import { familiesOf } from "../../lease/stack.ts";
import type { Family } from "../../net/ip.ts";
import type { Measurable } from "./targets.ts";

export interface Joined {
  readonly config: Pick<NetworkConfig, "network" | "ipv6">;
  readonly own: Lease | undefined;
  readonly plan: Plan;
  readonly host: Host;
  /** Of each family one, or one for both, or none. */
  readonly devices: readonly string[];
}

/** What there is to measure by each family that the network and this host have, the first one first. */
export function halvesOf({ config, own, plan, host, devices }: Joined): Measurable[] {
  const families = familiesOf(config);
  return families.flatMap((family, i): Measurable[] => {
    const device = deviceAt(devices, i);
    if (families.length === 1) return [{ family, isHalf: false, own, plan, host, device }];
    const of = hostOf(host, family);
    if (of === undefined) return [];
    const half = { own: own && halfOf(own, family), plan: planOf(plan, family) };
    return [{ family, isHalf: true, ...half, host: of, device }];
  });
}

/** The one that carries the family which stands at this place among the network's; "" where the backend makes none. */
export function deviceAt(devices: readonly string[], place: number): string {
  return devices[place] ?? devices[0] ?? "";
}

/** The plan with the peers that packets of the family go to, as peers of that family alone. */
function planOf(plan: Plan, family: Family): Plan {
  const refused = new Set(plan.refused.map(({ subnet }) => subnet));
  const peers = plan.peers.flatMap((peer): PeerPlan[] => {
    const lease = halfOf(peer.lease, family);
    return lease === undefined || refused.has(lease.subnet) ? [] : [{ ...peer, lease }];
  });
  return { ...plan, peers };
}
