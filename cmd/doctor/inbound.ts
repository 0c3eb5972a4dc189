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

type Planned = Pick<NetworkFacts, "planned" | "underlay" | "planes">;

/** Of the data plane: one for each place where this host takes packets, and each family of the underlay that they may come by. */
export function inboundOf(facts: Planned): readonly InboundPacket[] {
  const link = facts.underlay?.link ?? "";
  return facts.planned.flatMap((one) =>
    outerOf(one, facts).map((packet) => ({ ...packet, link, isProbe: false }))
  );
}

/**
 * Of the agents that measure the network from `port`, 0 for none: what they send comes the way of the network's packets, out
 * of the data plane, or as it is from peers on the underlay's own link. Without a peer it is awaited out of the data plane.
 */
export function probesOf(
  { planes, ways, underlay }: Pick<NetworkFacts, "planes" | "ways" | "underlay">,
  port: number,
): readonly InboundPacket[] {
  const [{ config, devices }] = planes;
  if (port === 0 || !isCarried({ way: config.backendType })) return [];
  return familiesOf(config).flatMap((family, i) => {
    const used = ways.filter((way) => way.family === family).map(({ link }) => link);
    const links = used.length > 0 ? used : [deviceAt(devices, i) || (underlay?.link ?? "")];
    const packet = { family, payload: { protocol: "udp", port }, isSymmetric: true, isProbe: true } as const;
    return links.map((link) => ({ ...packet, link }));
  });
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

/** A device for one family alone goes by the underlay of that family; one for both as the mode says. */
function outerFamilies({ name }: Link, { planes }: Planned): readonly Family[] {
  return planes.filter(({ devices }) => devices.includes(name)).flatMap(({ config, devices }) => {
    const { mode } = readWireguardOptions(config).options;
    const families = familiesOf(config);
    if (mode !== "separate") return underlaysOf(mode, families);
    return families.filter((_, i) => deviceAt(devices, i) === name);
  });
}
