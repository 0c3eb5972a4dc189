/** The way of a packet in memory, whole or damaged, for the tests of its explanation. */
import assert from "node:assert/strict";
import type { Host, Plan } from "../../backends/backend.ts";
import { alloc } from "../../backends/alloc.ts";
import { extension } from "../../backends/extension.ts";
import { hostGw } from "../../backends/host_gw.ts";
import { udp } from "../../backends/udp.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { objectsFor } from "../../cmd/explain_facts.ts";
import { drift } from "../../kernel/drift.ts";
import { explainWay, firstBreak } from "../../kernel/explain/explain.ts";
import { MAIN_TABLE } from "../../kernel/kernel.ts";
import { type KernelObject, keyOf, type Link, type Route } from "../../kernel/state.ts";
import type { Lookup, Step, WayFacts } from "../../kernel/explain/way.ts";
import { config, extensionView, host, hostGwView, owner, udpHost, udpView, view } from "./overlay.ts";

export const IP = "10.5.2.9";
const eth0: Link = { kind: "link", name: "eth0", type: "veth", alias: "", mac: "", mtu: 1500, up: true };
export const near: Route = {
  kind: "route",
  destination: "192.0.2.0/24",
  metric: 0,
  link: "eth0",
  gateway: "",
  onlink: false,
  nexthop: 0,
  type: "unicast",
  protocol: 2,
};
export const byDefault: Route = { ...near, destination: "0.0.0.0/0", gateway: "192.0.2.254", protocol: 3 };
export const found = (route: Route, table = MAIN_TABLE): Lookup => ({ match: { route, table } });
export const refused = (errno: string, reason: string): Lookup => ({ refused: { errno, reason } });

export interface Damage {
  /** What is planned, given what usually is. */
  readonly plan?: (objects: readonly KernelObject[]) => readonly KernelObject[];
  /** What the kernel has of the plan, given all of it. */
  readonly actual?: (objects: readonly KernelObject[]) => readonly KernelObject[];
  /** What else is another. */
  readonly facts?: Partial<WayFacts>;
}

const plain = { links: [] };

export const planes: Readonly<Record<string, () => { plan: Plan; links: readonly string[] }>> = {
  vxlan: () => ({ plan: vxlan.plan(view([2, 3]), host()), links: ["flan.1"] }),
  udp: () => ({ plan: udp.plan(udpView([2, 3]), udpHost()), links: ["flan0"] }),
  "host-gw": () => ({ plan: hostGw.plan(hostGwView([2, 3]), host()), ...plain }),
  direct: () => ({ plan: vxlan.plan(view([2, 3], { DirectRouting: true }), host()), links: ["flan.1"] }),
  alloc: () => ({ plan: alloc.plan({ ...view([2, 3]), network: config({}, "alloc") }, host()), ...plain }),
  extension: () => {
    const options = { SubnetAddCommand: "add", SubnetRemoveCommand: "remove" };
    return { plan: extension.plan(extensionView([2, 3], options), host()), ...plain };
  },
  "on demand": () => {
    const asking: Host = host({ wanted: new Set() });
    return { plan: vxlan.plan(view([2, 3], { Mode: "on-demand" }), asking), links: ["flan.1"] };
  },
};

/** The steps to IP with this damage. */
export function steps(
  plane: string,
  { actual: damaged = (all) => all, plan: planned = (all) => all, facts = {} }: Damage = {},
): readonly Step[] {
  const { plan, links } = planes[plane]!();
  const peer = plan.peers[0]!;
  const objects = planned(plan.objects);
  const wanted = objectsFor(objects, peer);
  const actual = [eth0, ...damaged(objects)];
  const route = wanted.find((one) => one.kind === "route");
  const isThere = route !== undefined && actual.some((one) => keyOf(one) === keyOf(route));
  return explainWay({
    ip: IP,
    wanted,
    ...drift(objects, actual, { ...owner, links }),
    actual,
    lookup: found(isThere ? route : byDefault),
    mtu: 0,
    isAnswered: true,
    start: "flan up --detach --mtu 1400",
    underlay: {
      remote: "192.0.2.2",
      link: "eth0",
      query: { source: "192.0.2.1", ...(plane !== "udp" && { outgoing: "eth0" }) },
      lookup: found(near),
      mtu: 0,
      neighbour: undefined,
    },
    returns: [{
      source: "192.0.2.2",
      destination: "192.0.2.1",
      link: "eth0",
      lookup: found(near),
      rpFilter: 0,
    }],
    ...facts,
  });
}

/** An administrator's route to the very address. */
export const host9: Route = { ...byDefault, destination: "10.5.2.9/32" };

/** What the kernel has without what is of this kind. */
export const without = (
  kind: KernelObject["kind"],
  which: (one: KernelObject) => boolean = () => true,
): Damage => ({
  actual: (all) => all.filter((one) => one.kind !== kind || !which(one)),
});

/** What the kernel has, with everything of this kind made another. */
export const changed = <K extends KernelObject["kind"]>(kind: K, to: object): Damage => ({
  actual: (all) => all.map((one) => one.kind === kind ? { ...one, ...to } as KernelObject : one),
});

/** What is done, and the first break: hop, state, a word of the note, and of the repair. */
export type Break = readonly [
  name: string,
  plane: string,
  Damage,
  what: string,
  state: string,
  note: RegExp,
  repair: RegExp,
];

/** A test for each. */
export function testBreaks(cases: readonly Break[]): void {
  for (const [name, plane, damage, what, state, note, repair] of cases) {
    Deno.test(`explain, ${plane}: ${name}`, () => {
      const broken = firstBreak(steps(plane, damage));
      assert.deepEqual([broken?.what, broken?.state], [what, state]);
      assert.match(broken?.note ?? "", note);
      assert.match((broken?.repair ?? []).join("\n"), repair);
    });
  }
}
