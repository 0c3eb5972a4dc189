/** Every way in which the kernel can differ from the plan, and the changes that mend it. */
import assert from "node:assert/strict";
import { drift } from "../../kernel/drift.ts";
import type { Change } from "../../kernel/kernel.ts";
import { type KernelObject, keyOf, type Link } from "../../kernel/state.ts";
import { macOf, owner, planned } from "../lib/overlay.ts";

const plan = planned([2, 3]);
const link = plan[0] as Link;

const underlay: Link = {
  kind: "link",
  name: "eth0",
  type: "",
  alias: "",
  mac: macOf(99),
  mtu: 1500,
  up: true,
};

function shown(changes: readonly Change[]): string[] {
  return changes.map(({ verb, object }) => `${verb} ${keyOf(object)}`);
}

/** The plan with the one object under `key` changed, or left out. */
function actual(key: string, change?: Partial<KernelObject>): KernelObject[] {
  return plan.flatMap((object) =>
    keyOf(object) !== key ? [object] : change === undefined ? [] : [{ ...object, ...change } as KernelObject]
  );
}

const fdb2 = `fdb ${macOf(2)} dev flan.1`;
const neighbour2 = "neighbour 10.5.2.0 dev flan.1";
const nexthop2 = "nexthop 168100352";
const route2 = "route 10.5.2.0/24 metric 0";
const keysWithoutLink = plan.slice(1).map(keyOf);

Deno.test("drift: a kernel that equals the plan needs nothing, and every object is ok", () => {
  const { changes, conflicts, state } = drift(plan, [underlay, ...plan], owner);
  assert.deepEqual([changes, conflicts], [[], []]);
  assert.deepEqual([...state], plan.map((object) => [keyOf(object), "ok"]));
});

Deno.test("drift: an empty kernel gets everything, FDB entries before neighbours before routes", () => {
  const { changes, state } = drift(plan.toReversed(), [underlay], owner);
  assert.deepEqual(changes.map(({ verb, object }) => `${verb} ${object.kind}`), [
    "add link",
    "add address",
    "add nexthop",
    "add nexthop",
    "add fdb",
    "add fdb",
    "add neighbour",
    "add neighbour",
    "add route",
    "add route",
  ]);
  assert.deepEqual(new Set(state.values()), new Set(["missing"]));
});

Deno.test("drift: a peer that left is removed backwards, after what is added", () => {
  const { changes } = drift(planned([3, 4]), plan, owner);
  assert.deepEqual(shown(changes), [
    "add nexthop 168100864",
    `add fdb ${macOf(4)} dev flan.1`,
    "add neighbour 10.5.4.0 dev flan.1",
    "add route 10.5.4.0/24 metric 0",
    `delete ${route2}`,
    `delete ${neighbour2}`,
    `delete ${fdb2}`,
    `delete ${nexthop2}`,
  ]);
});

const wrongs: readonly [string, Partial<KernelObject>][] = [
  [nexthop2, { gateway: "10.5.99.0" }],
  [fdb2, { remote: "192.0.2.99" }],
  [neighbour2, { mac: macOf(99) }],
  [neighbour2, { state: "stale" }],
  [route2, { gateway: "10.5.99.0" }],
  [route2, { nexthop: 0 }],
  [route2, { type: "blackhole" }],
  ["link flan.1", { mtu: 1400 }],
  ["link flan.1", { up: false }],
  ["link flan.1", { alias: "flan" }],
];

for (const [key, change] of wrongs) {
  Deno.test(`drift: ours with a wrong value is replaced in place: ${key} ${JSON.stringify(change)}`, () => {
    const { changes, state, conflicts } = drift(plan, actual(key, change), owner);
    assert.deepEqual(shown(changes), [`replace ${key}`]);
    assert.deepEqual(changes[0]!.object, plan.find((object) => keyOf(object) === key));
    assert.equal(state.get(key), "wrong");
    assert.deepEqual(conflicts, []);
  });
}

for (const key of keysWithoutLink) {
  Deno.test(`drift: what is missing is added and nothing else is touched: ${key}`, () => {
    const { changes, state } = drift(plan, actual(key), owner);
    assert.deepEqual(shown(changes), [`add ${key}`]);
    assert.equal(state.get(key), "missing");
  });
}

for (
  const change of [
    { vxlan: { ...link.vxlan!, vni: 2 } },
    { vxlan: { ...link.vxlan!, port: 4789 } },
    { vxlan: { ...link.vxlan!, local: "192.0.2.9" } },
    { vxlan: { ...link.vxlan!, parent: "eth1" } },
    { vxlan: { ...link.vxlan!, learning: true } },
    { vxlan: { ...link.vxlan!, gbp: true } },
    { type: "bridge" },
  ] as Partial<Link>[]
) {
  Deno.test(`drift: a link of ours that cannot be changed is made anew with all on it: ${JSON.stringify(change)}`, () => {
    const { changes, state } = drift(plan, actual("link flan.1", change), owner);
    assert.deepEqual(shown(changes), [
      "delete link flan.1",
      "add link flan.1",
      ...keysWithoutLink.map((key) => `add ${key}`),
    ]);
    assert.equal(state.get("link flan.1"), "wrong");
  });
}

Deno.test("drift: a link that gets its MAC back gets its neighbours too, since the kernel flushes them", () => {
  const { changes } = drift(plan, actual("link flan.1", { mac: macOf(99) }), owner);
  assert.deepEqual(shown(changes), [
    "replace link flan.1",
    "add neighbour 10.5.2.0 dev flan.1",
    "add neighbour 10.5.3.0 dev flan.1",
  ]);
});

Deno.test("drift: a renamed device of ours goes first, because it still holds the VNI", () => {
  const renamed = plan.map((object) =>
    object.kind === "link"
      ? { ...object, name: "foo", up: false }
      : "link" in object
      ? { ...object, link: "foo" }
      : object
  );
  const { changes } = drift(plan, renamed, owner);
  assert.deepEqual(shown(changes), [
    "delete link foo",
    "add link flan.1",
    ...keysWithoutLink.map((key) => `add ${key}`),
  ]);
});

Deno.test("drift: a renamed ipip device of ours goes first where it has the same ends, and else last", () => {
  const tunnel: Link = {
    kind: "link",
    name: "flan.ipip",
    type: "ipip",
    alias: owner.alias,
    mac: "",
    mtu: 1480,
    up: true,
    ipip: { local: "192.0.2.1", remote: "" },
  };
  const renamed = { ...tunnel, name: "foo" };
  assert.deepEqual(shown(drift([tunnel], [renamed], owner).changes), [
    "delete link foo",
    "add link flan.ipip",
  ]);
  const elsewhere = { ...renamed, ipip: { local: "192.0.2.9", remote: "" } };
  assert.deepEqual(shown(drift([tunnel], [elsewhere], owner).changes), [
    "add link flan.ipip",
    "delete link foo",
  ]);
  const moved = drift([tunnel], [{ ...elsewhere, name: "flan.ipip" }], { ...owner, links: ["flan.ipip"] });
  assert.deepEqual(shown(moved.changes), ["delete link flan.ipip", "add link flan.ipip"]);
});

Deno.test("drift: a device of ours that is in nobody's way goes last, and takes its objects along", () => {
  const old: Link = { ...link, name: "flan.9", vxlan: { ...link.vxlan!, vni: 9 } };
  const entry: KernelObject = { kind: "fdb", link: "flan.9", mac: macOf(2), remote: "192.0.2.2" };
  const { changes } = drift(plan, [old, entry], owner);
  assert.equal(shown(changes).at(-1), "delete link flan.9");
  assert.deepEqual(shown(changes).filter((change) => change.startsWith("delete")), ["delete link flan.9"]);
});

Deno.test("drift: somebody else's link in our place is a conflict, and nothing on it is attempted", () => {
  const foreign: Link = { ...link, alias: "" };
  const sysctl: KernelObject = { kind: "sysctl", name: "net/ipv4/neigh/flan.1/app_solicit", value: "3" };
  const { changes, conflicts, state } = drift([...plan, sysctl], [foreign], owner);
  assert.deepEqual(changes, []);
  assert.deepEqual(conflicts, [{ code: "foreign-link", wanted: link, found: foreign }]);
  assert.deepEqual(new Set(state.values()), new Set(["foreign"]));
  assert.equal(state.size, plan.length + 1);
});

const foreigners: readonly [string, string, Partial<KernelObject>, string[]][] = [
  ["foreign-route", route2, { protocol: 4 }, [route2]],
  ["foreign-neighbour", neighbour2, { protocol: 0 }, [neighbour2]],
  ["foreign-nexthop", nexthop2, { protocol: 3 }, [nexthop2, route2]],
];

for (const [code, key, change, foreign] of foreigners) {
  Deno.test(`drift: ${code} is left alone and reported, with what hangs on it`, () => {
    const { changes, conflicts, state } = drift(plan, actual(key, change), owner);
    assert.deepEqual(changes, []);
    assert.deepEqual(conflicts.map((conflict) => [conflict.code, keyOf(conflict.wanted)]), [[code, key]]);
    assert.deepEqual([...state].filter(([, value]) => value === "foreign").map(([name]) => name), foreign);
  });
}

Deno.test("drift: what others put on our link and into our network stays", () => {
  const others: KernelObject[] = [
    { kind: "address", link: "flan.1", address: "10.99.0.1/32" },
    { kind: "address", link: "flan.1", address: "fe80::1/64" },
    {
      ...plan.find((object) => object.kind === "route")!,
      destination: "10.5.77.0/24",
      protocol: 4,
    } as KernelObject,
    {
      kind: "neighbour",
      link: "flan.1",
      ip: "10.5.77.1",
      mac: macOf(77),
      state: "permanent",
      protocol: 0,
    },
    { kind: "neighbour", link: "flan.1", ip: "10.5.77.2", mac: "", state: "failed", protocol: 0 },
    { kind: "nexthop", id: 5, gateway: "10.5.77.1", link: "flan.1", onlink: true, protocol: 3 },
  ];
  assert.deepEqual(drift(plan, [...plan, ...others], owner).changes, []);
});

Deno.test("drift: addresses of ours that are not wanted go", () => {
  const old: KernelObject = { kind: "address", link: "flan.1", address: "10.5.9.0/32" };
  assert.deepEqual(shown(drift(plan, [...plan, old], owner).changes), [`delete ${keyOf(old)}`]);
});

Deno.test("drift: an entry that the kernel made itself is replaced where ours is wanted", () => {
  const { changes, conflicts } = drift(
    plan,
    actual(neighbour2, { state: "incomplete", mac: "", protocol: 0 }),
    owner,
  );
  assert.deepEqual([shown(changes), conflicts], [[`replace ${neighbour2}`], []]);
});

for (
  const [state, enough] of [
    ["reachable", true],
    ["stale", true],
    ["delay", true],
    ["permanent", true],
    ["probe", false],
    ["incomplete", false],
    ["failed", false],
    ["none", false],
    ["noarp", false],
  ] as const
) {
  Deno.test(`drift: an on-demand neighbour that is ${state} is ${enough ? "enough" : "answered again"}`, () => {
    const wanted = actual(neighbour2, { state: "reachable" });
    const { changes } = drift(wanted, actual(neighbour2, { state }), owner);
    assert.deepEqual(shown(changes), enough ? [] : [`replace ${neighbour2}`]);
    const other = drift(wanted, actual(neighbour2, { state, mac: macOf(99) }), owner);
    assert.deepEqual(shown(other.changes), [`replace ${neighbour2}`]);
  });
}

Deno.test("drift: an on-demand neighbour without our mark gets it", () => {
  const wanted = actual(neighbour2, { state: "reachable" });
  const there = actual(neighbour2, { state: "reachable", protocol: 0 });
  assert.deepEqual(shown(drift(wanted, there, owner).changes), [`replace ${neighbour2}`]);
});

Deno.test("drift: sysctls are compared by value and never taken back", () => {
  const name = "net/ipv4/neigh/flan.1/app_solicit";
  const wanted: KernelObject = { kind: "sysctl", name, value: "3" };
  const other: KernelObject = { kind: "sysctl", name, value: "0" };
  assert.deepEqual(shown(drift([...plan, wanted], [...plan, other], owner).changes), [
    `replace sysctl ${name}`,
  ]);
  assert.deepEqual(drift([...plan, wanted], [...plan, wanted], owner).changes, []);
  assert.deepEqual(drift(plan, [...plan, other], owner).changes, []);
});

Deno.test("drift: of several routes with one key ours is kept, and one of ours too many goes", () => {
  const route = plan.find((object) => keyOf(object) === route2)!;
  const foreign = { ...route, protocol: 4 } as KernelObject;
  assert.deepEqual(drift(plan, [foreign, ...plan], owner).conflicts, []);
  assert.deepEqual(drift(plan, [...plan, foreign], owner).conflicts, []);
  const second = { ...route, gateway: "10.5.99.0", nexthop: 0 } as KernelObject;
  for (const there of [[second, ...plan], [...plan, second]]) {
    const { changes } = drift(plan, there, owner);
    assert.deepEqual(changes, [{ verb: "delete", object: second }]);
  }
});

Deno.test("drift: another flan's link, and what is on it, is not ours", () => {
  const other: Link = { ...link, name: "flan.2", alias: "flan other", vxlan: { ...link.vxlan!, vni: 2 } };
  const theirs = planned([9]).slice(1).map((object) => ({ ...object, link: "flan.2" } as KernelObject));
  assert.deepEqual(drift(plan, [...plan, other, ...theirs], owner).changes, []);
});
