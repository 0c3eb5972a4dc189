/**
 * The whole plan of a host: what its backend wants, and the rules of the packet filter, of which backends know nothing.
 * Pure.
 */
import type { Backend, Firewall, Host, Plan } from "../backends/backend.ts";
import type { Feature } from "../kernel/kernel.ts";
import {
  aliasOf,
  type ForwardRules,
  type KernelObject,
  type Masquerade,
  nftFamily,
  type PacketRule,
} from "../kernel/state.ts";
import { familiesOf, viewOf } from "../lease/stack.ts";
import type { NetworkConfig } from "../lease/network.ts";
import type { View } from "../lease/view.ts";
import { type Family, familyOf, formatCidr } from "../net/ip.ts";

/** The settings of `up` that concern the packet filter; the names are those of the flags. */
export interface FirewallOptions {
  readonly ipMasq: boolean;
  /** Destinations, as prefixes, that see the containers' own addresses. */
  readonly noMasq: readonly string[] | undefined;
  readonly noForwardRules: boolean;
}

/** Set by kube-proxy on packets whose source it will replace itself. */
const MASQUERADED_ELSEWHERE = "0x4000";
/** RFC 5771, RFC 4291. */
const MULTICAST: Readonly<Record<Family, string>> = { 4: "224.0.0.0/4", 6: "ff00::/8" };

/** What of `objects` and of the settings a plan has to know. */
export function firewallOf(objects: readonly KernelObject[], options: FirewallOptions): Firewall {
  const dropping = objects.flatMap((object) =>
    object.kind === "forward-rules" && object.alias === "" ? [object.chain] : []
  );
  return {
    masquerade: options.ipMasq,
    exempt: options.noMasq ?? [],
    dropping: options.noForwardRules ? [] : dropping,
  };
}

/** What not every host has and a network with this backend needs here. */
export function needsOf(
  { backend, config }: {
    readonly backend: Pick<Backend, "needs" | "needsFor">;
    /** Left out where no network is there yet whose options would count. */
    readonly config?: NetworkConfig;
  },
  { ipMasq }: Pick<FirewallOptions, "ipMasq">,
): readonly Feature[] {
  const byOptions = config === undefined ? [] : backend.needsFor?.(config) ?? [];
  return [...backend.needs, ...byOptions, ...(ipMasq ? ["firewall" as const] : [])];
}

/** The backend's plan with the rules. A host without a subnet has no packets of its own to translate or to let pass. */
export function planFor(backend: Backend, view: View, host: Host): Plan {
  const plan = backend.plan(view, host);
  const alias = aliasOf(host.node);
  const { masquerade, exempt, dropping } = host.firewall;
  const halves = halvesOf(view);
  const rules = dropping.flatMap((chain): ForwardRules[] => {
    const passing = halves.filter(({ family }) => hasFamily(chain, family)).flatMap((
      { network },
    ): PacketRule[] => [
      { source: network, action: "accept" },
      { destination: network, action: "accept" },
    ]);
    return passing.length === 0 ? [] : [{ kind: "forward-rules", chain, alias, rules: passing }];
  });
  const translated = masquerade
    ? halves.map((half): Masquerade => ({
      kind: "masquerade",
      family: half.family,
      alias,
      rules: masqueradeRules({ ...half, exempt }),
    }))
    : [];
  const added = [...translated, ...rules];
  return added.length === 0 ? plan : { ...plan, objects: [...plan.objects, ...added] };
}

interface Half {
  readonly family: Family;
  readonly network: string;
  /** This host's own. */
  readonly subnet: string;
}

function halvesOf(view: View): Half[] {
  return familiesOf(view.network).flatMap((family) => {
    const { network, own } = viewOf(view, family);
    return own === undefined ? [] : [{ family, network: formatCidr(network.network), subnet: own.subnet }];
  });
}

/** Whether packets of the family pass through the chain, which is named with its table's family first. */
function hasFamily(chain: string, family: Family): boolean {
  return chain.startsWith("inet ") || chain.startsWith(`${nftFamily(family)} `);
}

/**
 * flannel's rules, in its order (pkg/trafficmngr/iptables), after the exempted destinations. The first that fits
 * decides: packets between containers keep their source, and so do those from outside to a container of this host;
 * what leaves the overlay gets this host's address; and what enters it through this host for another one gets this
 * host's address in the overlay, so that the answer comes back this way.
 */
function masqueradeRules(
  { family, network, subnet, exempt }: Half & { exempt: readonly string[] },
): PacketRule[] {
  return [
    { mark: MASQUERADED_ELSEWHERE, action: "return" },
    { source: subnet, destination: network, action: "return" },
    { source: network, destination: subnet, action: "return" },
    { source: `!${network}`, destination: subnet, action: "return" },
    ...exempt.filter((one) => familyOf(one) === family).map((destination): PacketRule =>
      // The kernel keeps no condition that is always true.
      destination.endsWith("/0")
        ? { source: network, action: "return" }
        : { source: network, destination, action: "return" }
    ),
    { source: network, destination: `!${MULTICAST[family]}`, action: "masquerade" },
    { source: `!${network}`, destination: network, action: "masquerade" },
  ];
}
