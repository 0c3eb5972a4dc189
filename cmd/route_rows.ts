/** What `flan routes` says of each lease: how its packets go, and whether everything that takes is in place. */
import { naturalOrder } from "../net/natural_order.ts";
import type { PeerPlan } from "../backends/backend.ts";
import { deviations } from "../kernel/deviations.ts";
import { linkOf } from "../kernel/relations.ts";
import { describe, keyOf } from "../kernel/state.ts";
import type { Lease, Refusal } from "../lease/lease.ts";
import { halvesOf } from "./halves.ts";
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
  /** That the peer's packets are sent to, where it is planned. */
  readonly mac: string | undefined;
}

/** One for each lease, and for each half of a dual-stack lease, sorted by subnet. */
export function rowsOf(observed: Observed): readonly Row[] {
  return halvesOf(observed).flatMap(rowsOfHalf).sort((a, b) => naturalOrder(a.subnet, b.subnet));
}

function rowsOfHalf(observed: Observed): readonly Row[] {
  const { plan, view, node, expired } = observed;
  const ways = waysIn(observed);
  const common = (lease: Lease) => ({ subnet: lease.subnet, expires: lease.expires, node: lease.node });
  const own = view.own === undefined ? [] : [{
    ...common(view.own),
    via: undefined,
    dev: undefined,
    kind: "local",
    state: "local",
    note: undefined,
    mac: undefined,
    node,
  }];
  const peers = plan.peers.map((peer) => {
    const { lease, way } = peer;
    const { via, dev, state, notes, mac } = ways(peer);
    return {
      ...common(lease),
      via,
      dev,
      kind: way,
      state,
      mac,
      note: [...(expired.has(lease.subnet) ? ["expired"] : []), ...notes].join(",") || undefined,
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
    mac: undefined,
  }));
  return [...own, ...peers, ...refused];
}

interface Way {
  /** The peer's address that its packets go to, or where another route in the place of flan's leads. */
  readonly via: string | undefined;
  /** The link that the peer's packets leave by, undefined where flan makes no route for them. */
  readonly dev: string | undefined;
  readonly state: string;
  /** What is not in place, what is wrong with it, and what of others is in the way. */
  readonly notes: readonly string[];
  readonly mac: string | undefined;
}

/** How packets to a peer go now, by what stands in the kernel. */
function waysIn({ plan, drift, overridden, actual }: Observed): (peer: PeerPlan) => Way {
  const planned = new Map(plan.objects.map((object) => [keyOf(object), object]));
  const wrong = new Map(
    deviations(drift.changes, actual).map((one) => [keyOf(one.object), one.differences]),
  );
  const inTheWay = new Map(drift.conflicts.map(({ wanted, found }) => [keyOf(wanted), found]));
  const bad = new Set([...drift.state].filter(([, state]) => state !== "ok").map(([key]) => key));
  const standing = new Map(
    bad.size === 0
      ? []
      : actual.flatMap((one) => one.kind === "route" && bad.has(keyOf(one)) ? [[keyOf(one), one.link]] : []),
  );
  // What peers share is no peer's own, and carries none of their packets as long as it is not as it should be.
  const broken = Map.groupBy(
    plan.objects.filter((one) => (one.kind === "link" || one.kind === "address") && bad.has(keyOf(one))),
    (one) => one.kind === "link" ? one.name : linkOf(one),
  );
  const brokenOf = (keys: readonly string[]) => {
    const links = new Set(
      keys.map((key) => planned.get(key)).map((one) => one === undefined ? "" : linkOf(one)),
    );
    return [...links].flatMap((link) => broken.get(link) ?? []).map(keyOf);
  };
  const winners = Map.groupBy(overridden, ({ subnet }) => subnet);
  return ({ lease, keys, remote = lease.publicIp }) => {
    const winning = (winners.get(lease.subnet) ?? []).map(({ found }) => found);
    const needed = broken.size === 0 ? keys : [...new Set([...brokenOf(keys), ...keys])];
    const states = needed.map((key) => [key, drift.state.get(key) ?? "missing"] as const);
    const route = keys.find((key) => planned.get(key)?.kind === "route");
    const there = planned.get(route ?? "");
    const foreign = inTheWay.get(route ?? "");
    const entry = keys.map((key) => planned.get(key)).find((one) => one?.kind === "fdb");
    return {
      mac: entry?.kind === "fdb" ? entry.mac : undefined,
      via: foreign?.kind === "route" ? foreign.gateway || undefined : remote,
      dev: (standing.get(route ?? "") ?? (there?.kind === "route" ? there.link : "")) || undefined,
      state: worst([...states.map(([, state]) => state), ...winning.map(() => "foreign")]),
      notes: [
        ...states.filter(([, state]) => state !== "ok").map(([key]) => {
          const found = inTheWay.get(key);
          if (found !== undefined) return describe(found);
          const kind = planned.get(key)?.kind ?? key;
          const why = wrong.get(key) ?? "";
          return why === "" ? kind : `${kind} (${why})`;
        }),
        ...winning.map((found) => `${describe(found)} wins`),
      ],
    };
  };
}

function worst(states: readonly string[]): string {
  return ["foreign", "wrong", "missing"].find((state) => states.includes(state)) ?? "ok";
}
