/** What was observed of a dual-stack network as two observations, each of one address family. Pure. */
import { hostOf } from "../backends/dual.ts";
import type { Backend, Host, Plan } from "../backends/backend.ts";
import { familyOfObject } from "../kernel/relations.ts";
import { keyOf } from "../kernel/state.ts";
import type { NetworkConfig } from "../lease/network.ts";
import { halfOf } from "../lease/half.ts";
import { configOf, familiesOf, viewOf } from "../lease/stack.ts";
import type { View } from "../lease/view.ts";
import { type Family, familyOf, parseCidr } from "../net/ip.ts";

/** What of an observation is of one family or the other. */
export interface Half {
  readonly config: NetworkConfig;
  readonly backend: Backend;
  readonly devices: readonly string[];
  readonly host: Host;
  readonly view: View;
  readonly plan: Plan;
  /** Subnets of peers that have ended. */
  readonly expired: ReadonlySet<string>;
}

/** One for each family of the network, the first one before the second. */
export function halvesOf<O extends Half>(observed: O): readonly O[] {
  return familiesOf(observed.config).map((family) => halfIn(observed, family)!);
}

/** Undefined where the network does not have the family. */
export function halfIn<O extends Half>(observed: O, family: Family): O | undefined {
  const families = familiesOf(observed.config);
  if (!families.includes(family)) return undefined;
  if (families.length === 1) return observed;
  const config = configOf(observed.config, family);
  const { backend, expired, view } = observed;
  const half = viewOf(view, family);
  const ended = view.peers.filter(({ subnet }) => expired.has(subnet)).flatMap((one) =>
    halfOf(one, family) ?? []
  );
  return {
    ...observed,
    config,
    devices: backend.devices(config),
    host: hostOf(observed.host, family) ?? observed.host,
    view: half,
    plan: planOf(observed.plan, { family, isIn: half.own !== undefined }),
    expired: new Set(ended.map(({ subnet }) => subnet)),
  };
}

/**
 * A lease is in it where it has this half, as this host's does, and the backend takes it. What serves both families is in
 * both.
 */
function planOf(
  { objects, peers, refused }: Plan,
  { family, isIn }: { family: Family; isIn: boolean },
): Plan {
  const isOther = (own: Family | undefined) => own !== undefined && own !== family;
  const others = new Set(objects.filter((one) => isOther(familyOfObject(one))).map(keyOf));
  const without = refused.filter(({ subnet }) => isSubnetOf(6, subnet) === (family === 6));
  const lost = new Set(without.map(({ subnet }) => subnet));
  return {
    objects: objects.filter((one) => !others.has(keyOf(one))),
    peers: peers.flatMap((peer) => {
      const lease = isIn ? halfOf(peer.lease, family) : undefined;
      if (lease === undefined || lost.has(lease.subnet)) return [];
      return [{ ...peer, lease, keys: peer.keys.filter((key) => !others.has(key)) }];
    }),
    refused: without,
  };
}

/** What is refused is named by its subnet or, where that cannot be read, by its key. */
function isSubnetOf(family: Family, text: string): boolean {
  try {
    return familyOf(text) === family && parseCidr(text).family === family;
  } catch {
    return false;
  }
}
