/** The first packets that peers send to this host, by what its backend planned: what the packet filter has to let in. */
import { readWireguardOptions } from "../../backends/wireguard_options.ts";
import { underlaysOf } from "../../backends/wireguard_underlay.ts";
import type { NetworkFacts } from "../../doctor/facts.ts";
import type { InboundPacket } from "../../doctor/input_chains.ts";
import type { Link } from "../../kernel/state.ts";
import { familiesOf } from "../../lease/stack.ts";
import { type Family, familyOf } from "../../net/ip.ts";

/** By UDP, one for each place where this host listens and each family of the underlay that peers may come by. */
export function inboundOf(
  { planned, underlay, config }: Pick<NetworkFacts, "planned" | "underlay" | "config">,
): readonly InboundPacket[] {
  const link = underlay?.link ?? "";
  return planned.flatMap((one): InboundPacket[] => {
    if (one.kind === "proxy") {
      return [{ family: familyOf(one.address), port: one.port, link, isSymmetric: true }];
    }
    if (one.kind !== "link") return [];
    const { vxlan, wireguard } = one;
    if (vxlan !== undefined) {
      return [{ family: familyOf(vxlan.local), port: vxlan.port, link, isSymmetric: false }];
    }
    if (wireguard === undefined) return [];
    return outerFamilies(one, { planned, config }).map((family) => (
      { family, port: wireguard.listenPort, link, isSymmetric: true }
    ));
  });
}

/** A device for one family alone goes by the underlay of what is routed into it; one for both as the mode says. */
function outerFamilies(
  { name }: Link,
  { planned, config }: Pick<NetworkFacts, "planned" | "config">,
): readonly Family[] {
  const { mode } = readWireguardOptions(config).options;
  if (mode !== "separate") return underlaysOf(mode, familiesOf(config));
  const routed = planned.flatMap((one) =>
    one.kind === "route" && one.link === name ? [familyOf(one.destination)] : []
  );
  return [...new Set(routed)];
}
