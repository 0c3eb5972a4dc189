/** A way with two faults: each of them is named, and only what cannot be judged is skipped. */
import assert from "node:assert/strict";
import type { KernelObject, Link } from "../../../kernel/state.ts";
import { changed, type Damage, refused, steps, without } from "../../lib/ways.ts";

/** One after the other. */
const both = (...damages: readonly Damage[]): Damage => ({
  actual: (all) => damages.reduce((left, { actual }) => actual?.(left) ?? left, all),
  facts: Object.assign({}, ...damages.map(({ facts }) => facts)),
});
const vxlan = (change: object): Damage => ({
  actual: (all) =>
    all.map((one): KernelObject =>
      one.kind === "link" && one.vxlan !== undefined ? { ...one, vxlan: { ...one.vxlan, ...change } } : one
    ),
});
const only = (...kinds: readonly KernelObject["kind"][]): Damage => ({
  actual: (all) => all.filter(({ kind }) => kinds.includes(kind)),
});
const lower = changed("link", { mtu: 1300 } satisfies Partial<Link>);
const down = changed("link", { up: false });
const nowhere: Damage = { facts: { lookup: refused("ENETUNREACH", "Network is unreachable") } };

/** Of `vxlan` the hops link, address, route, nexthop, neighbour and fdb. */
const cases: readonly (readonly [name: string, Damage, states: string])[] = [
  ["the MTU is wrong and the FDB entry gone", both(lower, without("fdb")), "wrong ok ok ok ok missing"],
  ["the MTU is wrong and the route gone", both(lower, without("route")), "wrong ok missing ok ok ok"],
  [
    "the MTU and the neighbour's MAC are wrong",
    both(lower, changed("neighbour", { mac: "02:00:00:00:00:99" })),
    "wrong ok ok ok wrong ok",
  ],
  ["the device has another port", vxlan({ port: 4789 }), "wrong ok ok ok ok ok"],
  [
    "the device has another port and the FDB entry leads elsewhere",
    both(vxlan({ port: 4789 }), changed("fdb", { remote: "192.0.2.9" })),
    "wrong ok ok ok ok wrong",
  ],
  [
    "the device has another MAC and the neighbour is gone",
    both(changed("link", { mac: "02:00:00:00:00:99" }), without("neighbour")),
    "wrong ok ok ok missing ok",
  ],
  [
    "the device is down, which took routes and nexthops along",
    both(down, only("link", "address", "neighbour", "fdb"), nowhere),
    "wrong ok skipped skipped ok ok",
  ],
  [
    "the device is down and the FDB entry leads elsewhere",
    both(down, changed("fdb", { remote: "192.0.2.9" })),
    "wrong ok ok ok ok wrong",
  ],
  ["the device is gone", only(), "missing skipped skipped skipped skipped skipped"],
  [
    "the device is somebody else's",
    changed("link", { alias: "mine" }),
    "foreign skipped skipped skipped skipped skipped",
  ],
  [
    "the nexthop is wrong, and with it what the route shows of it",
    both(changed("nexthop", { gateway: "10.5.2.7" }), changed("route", { gateway: "10.5.2.7" })),
    "ok ok skipped wrong ok ok",
  ],
  [
    "the nexthop is wrong and the route gone",
    both(changed("nexthop", { gateway: "10.5.2.7" }), without("route")),
    "ok ok missing wrong ok ok",
  ],
];

for (const [name, damage, states] of cases) {
  Deno.test(`explain, two faults: ${name}`, () => {
    const seen = steps("vxlan", damage).slice(0, 6).map(({ state }) => state).join(" ");
    assert.equal(seen, states);
  });
}

Deno.test("explain, two faults: the second one has its note, and the first one's repair mends both", () => {
  const all = steps("vxlan", both(lower, changed("fdb", { remote: "192.0.2.9" })));
  assert.match(
    all.find(({ what }) => what === "fdb")?.note ?? "",
    /^remote is 192\.0\.2\.9, not 192\.0\.2\.2$/,
  );
  const repair = all.find(({ what }) => what === "link")?.repair?.join("\n") ?? "";
  assert.match(repair, /mtu 1450[^]*bridge fdb replace/);
});

Deno.test("explain, two faults: a proxy that carries nothing has its routes judged", () => {
  const idle = changed("proxy", { carrying: false });
  const states = (damage: Damage) =>
    steps("udp", damage).filter(({ what }) => what.startsWith("proxy")).map(({ state }) => state);
  assert.deepEqual(states(idle), ["wrong", "ok"]);
  assert.deepEqual(states(both(idle, without("proxy-route"))), ["wrong", "missing"]);
  assert.deepEqual(states(both(without("proxy"), without("proxy-route"))), ["missing", "skipped"]);
});
