/** The first packets that come to this host from others of the network: what the packet filter has to let in. */
import { deviceAt } from "../../agent/probing/halves.ts";
import { isCarried } from "../../agent/probing/targets.ts";
import { readWireguardOptions } from "../../backends/wireguard_options.ts";
import { underlaysOf } from "../../backends/wireguard_underlay.ts";
import type { NetworkFacts } from "../../doctor/facts.ts";
import type { InboundPacket } from "../../doctor/input_chains.ts";
import type { KernelObject, Link } from "../../kernel/state.ts";
import { familiesOf } from "../../lease/stack.ts";
import { type Family, familyOf } from "../../net/ip.ts";

type Planned = Pick<NetworkFacts, "planned" | "underlay" | "config">;

/** Of the data plane: one for each place where this host takes packets, and each family of the underlay that they may come by. */
export function inboundOf(facts: Planned): readonly InboundPacket[] {
  const link = facts.underlay?.link ?? "";
  return facts.planned.flatMap((one) =>
    outerOf(one, facts).map((packet) => ({ ...packet, link, isProbe: false }))
  );
}

/** Of the agents that measure the network from `port`, 0 for none: what they send comes out of the data plane. */
export function probesOf(
  { config, devices, underlay }: Pick<NetworkFacts, "config" | "devices" | "underlay">,
  port: number,
): readonly InboundPacket[] {
  if (port === 0 || !isCarried({ way: config.backendType })) return [];
  return familiesOf(config).map((family, i) => ({
    family,
    payload: { protocol: "udp", port },
    link: deviceAt(devices, i) || (underlay?.link ?? ""),
    isSymmetric: true,
    isProbe: true,
  }));
}

type Outer = Pick<InboundPacket, "family" | "payload" | "isSymmetric">;

/** What comes in for one object of the plan. Whatever has no ports is sent from one end to the other and back alike. */
function outerOf(one: KernelObject, facts: Planned): Outer[] {
  if (one.kind === "proxy") {
    return [{
      family: familyOf(one.address),
      payload: { protocol: "udp", port: one.port },
      isSymmetric: true,
    }];
  }
  if (one.kind !== "link") return [];
  const { vxlan, wireguard, ipip, xfrm } = one;
  if (vxlan !== undefined) {
    const payload = { protocol: "udp", port: vxlan.port } as const;
    return [{ family: familyOf(vxlan.local), payload, isSymmetric: false }];
  }
  if (ipip !== undefined) return [{ family: 4, payload: { protocol: "ipip" }, isSymmetric: true }];
  if (xfrm !== undefined) return [{ family: 4, payload: espIn(facts), isSymmetric: true }];
  if (wireguard === undefined) return [];
  const payload = { protocol: "udp", port: wireguard.listenPort } as const;
  return outerFamilies(one, facts).map((family) => ({ family, payload, isSymmetric: true }));
}

/** ESP by itself, or in UDP. */
function espIn({ planned }: Planned): Outer["payload"] {
  const socket = planned.find((one) => one.kind === "encap-socket");
  return socket === undefined ? { protocol: "esp" } : { protocol: "udp", port: socket.port };
}

/** A device for one family alone goes by the underlay of what is routed into it; one for both as the mode says. */
function outerFamilies({ name }: Link, { planned, config }: Planned): readonly Family[] {
  const { mode } = readWireguardOptions(config).options;
  if (mode !== "separate") return underlaysOf(mode, familiesOf(config));
  const routed = planned.flatMap((one) =>
    one.kind === "route" && one.link === name ? [familyOf(one.destination)] : []
  );
  return [...new Set(routed)];
}
