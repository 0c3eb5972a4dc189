/**
 * The whole plan of a host: what its backend wants, and the rules of the packet filter, of which backends know nothing.
 * Pure.
 */
import type { Backend, Firewall, Host, Plan } from "../backends/backend.ts";
import type { Feature } from "../kernel/kernel.ts";
import { aliasOf, type ForwardRules, type KernelObject, type PacketRule } from "../kernel/state.ts";
import type { View } from "../lease/view.ts";
import { formatCidr } from "../net/ip.ts";

/** The settings of `up` that concern the packet filter; the names are those of the flags. */
export interface FirewallOptions {
  readonly ipMasq: boolean;
  /** Destinations, as prefixes, that see the containers' own addresses. */
  readonly noMasq: readonly string[] | undefined;
  readonly noForwardRules: boolean;
}

/** Set by kube-proxy on packets whose source it will replace itself. */
const MASQUERADED_ELSEWHERE = "0x4000";
/** RFC 5771. */
const MULTICAST = "224.0.0.0/4";

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
export function needsOf({ needs }: Pick<Backend, "needs">, { ipMasq }: FirewallOptions): readonly Feature[] {
  return ipMasq ? [...needs, "firewall"] : needs;
}

/** The backend's plan with the rules. A host without a subnet has no packets of its own to translate or to let pass. */
export function planFor(backend: Backend, view: View, host: Host): Plan {
  const plan = backend.plan(view, host);
  if (view.own === undefined) return plan;
  const alias = aliasOf(host.node);
  const network = formatCidr(view.network.network);
  const { masquerade, exempt, dropping } = host.firewall;
  const rules = dropping.map((chain): ForwardRules => ({
    kind: "forward-rules",
    chain,
    alias,
    rules: [{ source: network, action: "accept" }, { destination: network, action: "accept" }],
  }));
  const translated: KernelObject[] = masquerade
    ? [{ kind: "masquerade", alias, rules: masqueradeRules({ network, subnet: view.own.subnet, exempt }) }]
    : [];
  const added = [...translated, ...rules];
  return added.length === 0 ? plan : { ...plan, objects: [...plan.objects, ...added] };
}

/**
 * flannel's rules, in its order (pkg/trafficmngr/iptables), after the exempted destinations. The first that fits
 * decides: packets between containers keep their source, and so do those from outside to a container of this host;
 * what leaves the overlay gets this host's address; and what enters it through this host for another one gets this
 * host's address in the overlay, so that the answer comes back this way.
 */
function masqueradeRules(
  { network, subnet, exempt }: { network: string; subnet: string; exempt: readonly string[] },
): PacketRule[] {
  return [
    { mark: MASQUERADED_ELSEWHERE, action: "return" },
    { source: subnet, destination: network, action: "return" },
    { source: network, destination: subnet, action: "return" },
    { source: `!${network}`, destination: subnet, action: "return" },
    ...exempt.map((destination): PacketRule =>
      // The kernel keeps no condition that is always true.
      destination.endsWith("/0")
        ? { source: network, action: "return" }
        : { source: network, destination, action: "return" }
    ),
    { source: network, destination: `!${MULTICAST}`, action: "masquerade" },
    { source: `!${network}`, destination: network, action: "masquerade" },
  ];
}
