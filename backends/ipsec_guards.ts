/**
 * What the ipsec backend keeps out: whatever comes from the network to this host's subnet otherwise than by ESP. While the
 * network moves to or from another backend, those peers are excepted that send by that one; then their packets are as
 * safe as they were with it.
 */
import type { XfrmPolicy } from "../kernel/xfrm.ts";

/** Of policies: the lowest decides. */
const PRIORITY = { own: 500, beside: 1500, block: 2000 };

interface Place {
  /** See `xfrmMark` in kernel/xfrm.ts. */
  readonly mark: number;
  /** This host's own. */
  readonly subnet: string;
}

/** What comes from the network in clear ends here; within this host's own subnet nothing else is expected. */
export function guards(
  { mark, subnet, network }: Place & { readonly network: string },
): readonly XfrmPolicy[] {
  return [
    ...bothWays({ source: subnet, priority: PRIORITY.own, action: "pass" }, { mark, subnet }),
    ...bothWays({ source: network, priority: PRIORITY.block, action: "block" }, { mark, subnet }),
  ];
}

/** The exceptions for peers with these subnets. */
export function exceptions(subnets: readonly string[], place: Place): readonly XfrmPolicy[] {
  return subnets.flatMap((source) => bothWays({ source, priority: PRIORITY.beside, action: "pass" }, place));
}

/** For this host itself, and for the containers behind it. */
function bothWays(
  rule: Pick<XfrmPolicy, "source" | "priority" | "action">,
  { mark, subnet }: Place,
): readonly XfrmPolicy[] {
  return (["in", "fwd"] as const).map((direction) => ({
    kind: "xfrm-policy",
    ...rule,
    direction,
    destination: subnet,
    requestId: mark,
    interfaceId: 0,
  }));
}
