/** What `flan routes` says of each lease: how its packets go, and whether everything that takes is in place. */
import { bySubnet } from "../net/ip.ts";
import { type KernelObject, keyOf } from "../kernel/state.ts";
import type { Lease, Refusal } from "../lease/lease.ts";
import type { Observed } from "./observe.ts";

/** One line of `routes`: a peer, this host itself, or a lease that cannot be used. */
export interface Row {
  readonly subnet: string;
  readonly via: string | undefined;
  readonly dev: string | undefined;
  readonly kind: string;
  /** `ok`, `missing`, `wrong` or `foreign`; `local` for the own subnet, `refused` for a refused lease. */
  readonly state: string;
  readonly expires: number | undefined;
  readonly node: string | undefined;
  readonly note: string | undefined;
}

/** One for each lease, sorted by subnet. */
export function rowsOf({ plan, view, drift, node, expired }: Observed): readonly Row[] {
  const planned = new Map(plan.objects.map((object) => [keyOf(object), object]));
  const common = (lease: Lease) => ({ subnet: lease.subnet, expires: lease.expires, node: lease.node });
  const own = view.own === undefined ? [] : [{
    ...common(view.own),
    via: undefined,
    dev: undefined,
    kind: "local",
    state: "local",
    note: undefined,
    node,
  }];
  const peers = plan.peers.map(({ lease, way, keys }) => {
    const states = keys.map((key) => [key, drift.state.get(key) ?? "missing"] as const);
    const bad = states.filter(([, state]) => state !== "ok");
    return {
      ...common(lease),
      via: lease.publicIp,
      dev: linkTo(keys.map((key) => planned.get(key))),
      kind: way,
      state: worst(bad.map(([, state]) => state)),
      note: [
        ...(expired.has(lease.subnet) ? ["expired"] : []),
        ...bad.map(([key]) => planned.get(key)?.kind ?? key),
      ]
        .join(",") || undefined,
    };
  });
  const refused = [...view.refused, ...plan.refused].map((one: Refusal) => ({
    subnet: one.subnet,
    via: undefined,
    dev: undefined,
    kind: "refused",
    state: "refused",
    expires: undefined,
    node: undefined,
    note: `${one.code}: ${one.reason}`,
  }));
  return [...own, ...peers, ...refused].sort((a, b) => bySubnet(a.subnet, b.subnet));
}

/** The link that the peer's packets leave by, undefined where flan makes no route for them. */
function linkTo(objects: readonly (KernelObject | undefined)[]): string | undefined {
  return objects.find((object) => object?.kind === "route")?.link || undefined;
}

function worst(states: readonly string[]): string {
  return ["foreign", "wrong", "missing"].find((state) => states.includes(state)) ?? "ok";
}
