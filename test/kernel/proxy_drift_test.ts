/** A TUN link, its proxy and the proxy's routes: how they can differ from the plan, and what goes with what. */
import assert from "node:assert/strict";
import { drift } from "../../kernel/drift.ts";
import { byRank, changeable, dependsOn } from "../../kernel/relations.ts";
import { partOf, settle } from "../../kernel/settled.ts";
import { describe, type KernelObject, keyOf, type Link } from "../../kernel/state.ts";
import { teardown } from "../../kernel/teardown.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { contents, setup, shown } from "../lib/reconciling.ts";
import { proxy, proxyRoute, tun, tunRoute, udpOwner, udpPlanned } from "../lib/udp_plan.ts";

const plan = udpPlanned([2, 3]);
const route2 = "proxy route 10.5.2.0/24 dev flan0";
const route3 = "proxy route 10.5.3.0/24 dev flan0";
const wide = "route 10.5.0.0/16 metric 0";
const address = "address 10.5.1.0/32 dev flan0";

/** What is done about a kernel that holds the plan but for `change` (by key). */
function mended(change: Record<string, Partial<KernelObject> | undefined>) {
  const actual = plan.flatMap((object) => {
    const key = keyOf(object);
    if (!(key in change)) return [object];
    return change[key] === undefined ? [] : [{ ...object, ...change[key] } as KernelObject];
  });
  return drift(plan, actual, udpOwner);
}

Deno.test("proxy drift: an empty host gets link, address, proxy, its routes and the network's route, in this order", () => {
  const { changes } = drift(plan.toReversed(), [], udpOwner);
  assert.deepEqual(
    shown(changes),
    ["link flan0", address, "proxy flan0", route3, route2, wide].map((key) => `add ${key}`),
  );
  assert.deepEqual(plan.toSorted(byRank), plan);
});

const cases: readonly [string, Record<string, Partial<KernelObject> | undefined>, string[]][] = [
  ["MTU", { "link flan0": { mtu: 1400 } }, ["replace link flan0"]],
  ["queue length", { "link flan0": { tun: { multiQueue: false, queueLength: 500 } } }, [
    "replace link flan0",
  ]],
  ["another port", { "proxy flan0": { port: 8286 } }, ["replace proxy flan0"]],
  ["another address", { "proxy flan0": { address: "192.0.2.9" } }, ["replace proxy flan0"]],
  ["a subnet of old", { "proxy flan0": { subnet: "10.5.9.0/24" } }, ["replace proxy flan0"]],
  ["no source check", { "proxy flan0": { checkSource: false } }, ["replace proxy flan0"]],
  ["a proxy that carries nothing", { "proxy flan0": { carrying: false } }, ["replace proxy flan0"]],
  ["no proxy", { "proxy flan0": undefined, [route2]: undefined, [route3]: undefined }, [
    "add proxy flan0",
    `add ${route2}`,
    `add ${route3}`,
  ]],
  ["a route to another host", { [route2]: { remote: "192.0.2.99" } }, [`replace ${route2}`]],
  ["a route to another port", { [route2]: { port: 1 } }, [`replace ${route2}`]],
  ["a route too few", { [route2]: undefined }, [`add ${route2}`]],
  ["no route into the link", { [wide]: undefined }, [`add ${wide}`]],
];

for (const [what, change, expected] of cases) {
  Deno.test(`proxy drift: ${what}: ${expected[0]}`, () => {
    const { changes, conflicts } = mended(change);
    assert.deepEqual([shown(changes), conflicts], [expected, []]);
  });
}

Deno.test("proxy drift: a link with the other kind of queues is made anew, and its proxy told, which keeps its routes", () => {
  const { changes } = mended({ "link flan0": { tun: { multiQueue: true, queueLength: 1000 } } });
  assert.deepEqual(shown(changes), [
    "delete link flan0",
    "add link flan0",
    `add ${address}`,
    "replace proxy flan0",
    `add ${wide}`,
  ]);
});

Deno.test("proxy drift: a TAP device, or one that goes with its reader, is made anew", () => {
  const { tun: _, ...other } = tun;
  assert.deepEqual([changeable(other, tun), changeable(tun, other), changeable(tun, { ...tun, mtu: 9 })], [
    false,
    false,
    true,
  ]);
});

Deno.test("proxy drift: a proxy whose link is gone, or has another name, is told even if it has not noticed", () => {
  const told = ["add link flan0", `add ${address}`, "replace proxy flan0", `add ${wide}`];
  assert.deepEqual(
    shown(mended({ "link flan0": undefined, [address]: undefined, [wide]: undefined }).changes),
    told,
  );
  const renamed = plan.map((object) =>
    object.kind === "link"
      ? { ...object, name: "foo0" }
      : object.kind === "address" || object.kind === "route"
      ? { ...object, link: "foo0" }
      : object
  );
  assert.deepEqual(shown(drift(plan, renamed, udpOwner).changes), [
    ...told.with(3, `replace ${wide}`),
    "delete link foo0",
  ]);
});

Deno.test("proxy drift: routes of hosts that left go, the last change of all", () => {
  const { changes } = drift(udpPlanned([3, 4]), plan, udpOwner);
  assert.deepEqual(shown(changes), ["add proxy route 10.5.4.0/24 dev flan0", `delete ${route2}`]);
});

Deno.test("proxy drift: without a plan the proxy is stopped with its routes, and then the link goes with all on it", () => {
  assert.deepEqual(shown(drift([], plan, udpOwner).changes), ["delete proxy flan0", "delete link flan0"]);
  const orphans = plan.filter(({ kind }) => kind === "proxy" || kind === "proxy-route");
  assert.deepEqual(shown(drift([], orphans, udpOwner).changes), ["delete proxy flan0"]);
});

Deno.test("proxy drift: a link that is not ours blocks the proxy on it, and a proxy that runs is left as it is", () => {
  const foreign: Link = { ...tun, alias: "vpn" };
  for (const running of [[], plan.slice(2, -1)]) {
    const { changes, conflicts, state } = drift(plan, [foreign, ...running], udpOwner);
    assert.deepEqual([changes, conflicts.map(({ code }) => code)], [[], ["foreign-link"]]);
    assert.deepEqual(new Set(state.values()), new Set(["foreign"]));
  }
});

Deno.test("proxy relations: its routes need the proxy and the link, the network's route only the link", () => {
  const failed = new Set(["proxy flan0"]);
  assert.equal(dependsOn(proxyRoute(2), failed), true);
  assert.equal(dependsOn(proxy, failed), true);
  assert.equal(dependsOn(tunRoute, failed), false);
  assert.equal(dependsOn(proxyRoute(2), new Set(["proxy flan1"])), false);
  for (const object of plan) assert.equal(dependsOn(object, new Set(["link flan0"])), true);
});

Deno.test("proxy settled: a lease of many is a part of its own, a changed proxy concerns all", () => {
  const before = udpPlanned(Array.from({ length: 90 }, (_, n) => n + 2));
  const believed = new Map(before.map((object) => [keyOf(object), object]));
  const settled = () => settle(before, believed, drift(before, before, udpOwner))!;
  const moved = before.map((object) => object === proxyRoute(42) ? proxyRoute(1042) : object);
  const part = partOf(moved, believed, settled())!;
  assert.deepEqual(part.desired.map(keyOf), ["link flan0", "proxy route 10.5.42.0/24 dev flan0"]);
  const other = before.map((object) => object.kind === "proxy" ? { ...object, port: 1 } : object);
  assert.equal(partOf(other, believed, settled()), undefined);
});

Deno.test("proxy teardown: leaves neither process nor link behind, even where the link was deleted before", async () => {
  for (const interfere of [() => {}, (kernel: FakeKernel) => kernel.stack.delete(tun)]) {
    const kernel = new FakeKernel();
    const before = contents(kernel);
    await setup(kernel, udpOwner).reconciler.reconcile(plan);
    interfere(kernel);
    const { removed, failures } = await teardown(kernel, { ...udpOwner, links: [] });
    assert.deepEqual([contents(kernel), failures], [before, []]);
    assert.ok(removed.some(({ kind }) => kind === "proxy"));
  }
});

Deno.test("proxy objects are named so that a person knows them", () => {
  assert.deepEqual(plan.slice(2, 4).map(describe), [
    "proxy of flan0 at 192.0.2.1:8285",
    "proxy route 10.5.2.0/24 to 192.0.2.2:8285",
  ]);
});
