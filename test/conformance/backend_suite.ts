/**
 * What every backend must do: plan purely, and let the reconciler bring a kernel to the plan, keep it there,
 * and take it away. The kernel is in memory, or a real one in a namespace of its own.
 */
import assert from "node:assert/strict";
import type { Owner } from "../../kernel/ownership.ts";
import { Reconciler } from "../../kernel/reconcile.ts";
import { isBarrier } from "../../kernel/relations.ts";
import { type KernelObject, keyOf, LINK_ALIAS } from "../../kernel/state.ts";
import { teardown } from "../../kernel/teardown.ts";
import { familyOf } from "../../net/ip.ts";
import { FakeClock } from "../lib/fake_clock.ts";
import { purePlans } from "./backend_plans.ts";
import { noteSuite } from "./backend_skips.ts";
import { type BackendSuite, onStages, type Register } from "./stage.ts";

/** Registers the suite's tests with `Deno.test`. */
export function backendSuite(suite: BackendSuite): void {
  noteSuite(suite);
  if (!suite.kernelOnly) purePlans(suite);
  const register = onStages(suite);
  lifeCases(register);
  repairCases(register);
}

function lifeCases(register: Register): void {
  register("a join brings the kernel to the plan", async (stage) => {
    const done = await stage.reconcile([2, 3]);
    assert.deepEqual(done, stage.plan([2, 3]).map((object) => `add ${keyOf(object)}`));
    await stage.inStep([2, 3]);
  });

  register("a peer that comes, changes and goes touches nothing of the others", async (stage) => {
    await stage.reconcile([2]);
    for (const peers of [[2, 3], [2, -3], [2]]) {
      const before = new Set(stage.plan([2]).map(keyOf));
      const done = await stage.reconcile(peers);
      assert.notEqual(done.length, 0);
      for (const change of done) assert.ok(!before.has(change.slice(change.indexOf(" ") + 1)), change);
      await stage.inStep(peers);
    }
  });

  register("a restart finds nothing to do", async (stage) => {
    await stage.reconcile([2, 3, 4]);
    stage.restart();
    assert.deepEqual(await stage.reconcile([2, 3, 4]), []);
  });

  register("a restart removes the entries of peers that went away meanwhile", async (stage) => {
    await stage.reconcile([2, 3, 4]);
    stage.restart();
    const done = await stage.reconcile([2, 4]);
    assert.ok(done.length > 0 && done.every((change) => change.startsWith("delete ")), done.join("\n"));
    await stage.inStep([2, 4]);
  });

  register("leaving, after a crash too, leaves the stack as it was", async (stage) => {
    const before = await stage.contents();
    await stage.reconcile([2, 3]);
    assert.notDeepEqual(await stage.contents(), before);
    const { alias, network, network6 } = stage.suite.owner;
    // A host that leaves knows who it is and in which networks it was, and no link.
    const left: Owner = { alias, links: [], networks: [network, network6].flatMap((one) => one ?? []) };
    const { removed, failures } = await teardown(stage.other, left);
    assert.ok(removed.length > 0);
    assert.deepEqual(failures, []);
    assert.deepEqual(await stage.contents(), before);
  });

  register(
    "without a lease nothing is left but what keeps packets from leaving in clear, and an empty plan leaves nothing",
    async (stage) => {
      const { backend, host, owner } = stage.suite;
      const before = await stage.contents();
      await stage.reconcile([2, 3]);
      const view = { ...stage.suite.view([2, 3]), own: undefined };
      const { objects } = backend.plan(view, host);
      const barriers = stage.plan([2, 3]).filter(isBarrier);
      assert.equal(barriers.length > 0, backend.encrypts === true);
      assert.deepEqual(objects, barriers);
      const reconciler = new Reconciler(stage.kernel, { owner, clock: new FakeClock() });
      await reconciler.reconcile(objects);
      assert.equal((await stage.contents()).length, before.length + barriers.length);
      assert.deepEqual((await reconciler.reconcile(objects, { resync: true })).done, []);
      await reconciler.reconcile([]);
      assert.deepEqual(await stage.contents(), before);
    },
  );
}

function repairCases(register: Register): void {
  register("every object is repaired when somebody removes it", async (stage) => {
    await stage.reconcile([2, 3]);
    for (const object of stage.plan([2, 3])) {
      if (object.kind === "sysctl") continue;
      await stage.interfere("delete", object);
      const done = await stage.reconcile([2, 3]);
      assert.ok(done.includes(`add ${keyOf(object)}`), `${keyOf(object)}: ${done.join(", ")}`);
      await stage.inStep([2, 3]);
    }
  });

  register("every kind of object is repaired when somebody changes it", async (stage) => {
    await stage.reconcile([2, 3]);
    for (const object of stage.plan([2, 3])) {
      const changed = damaged(object);
      if (changed === undefined) continue;
      await stage.interfere("replace", changed);
      assert.notDeepEqual(await stage.reconcile([2, 3]), [], keyOf(object));
      await stage.inStep([2, 3]);
    }
  });

  register("a link that was set down and up is filled again", async (stage) => {
    await stage.reconcile([2, 3]);
    for (const object of stage.plan([2, 3])) {
      if (object.kind !== "link") continue;
      await stage.interfere("replace", { ...object, up: false });
      await stage.interfere("replace", object);
    }
    await stage.reconcile([2, 3]);
    await stage.inStep([2, 3]);
  });

  register("a foreign route in our place stays, and ours follows when it goes", async (stage) => {
    const route = stage.plan([2]).find((object) => object.kind === "route");
    // Without routes there is nothing in whose place one could stand.
    if (route === undefined) return;
    assert.ok(route.kind === "route");
    const foreign = {
      ...route,
      type: "blackhole",
      nexthop: 0,
      gateway: "",
      link: "",
      onlink: false,
      protocol: 4,
    };
    await stage.interfere("add", foreign);
    const before = await stage.contents();
    await stage.reconcile([2]);
    const key = keyOf(foreign);
    const own = (objects: KernelObject[]) => objects.find((object) => keyOf(object) === key);
    assert.deepEqual(own(await stage.contents()), own(before));
    await stage.interfere("delete", foreign);
    assert.deepEqual(await stage.reconcile([2]), [`add ${key}`]);
  });
}

/** Addresses that nobody has, of the family of another one. */
function elsewhere(text: string) {
  return familyOf(text) === 4
    ? { host: "192.0.2.250", gateway: "10.5.250.0", way: { gateway: "10.5.250.0", onlink: true } }
    : { host: "2001:db8::fa", gateway: "fe80::fa", way: { gateway: "fe80::fa", onlink: false } };
}

/** The object with a value that somebody else may give it, or undefined where it has none. */
function damaged(object: KernelObject): KernelObject | undefined {
  switch (object.kind) {
    case "link":
      return { ...object, mtu: object.mtu - 100, alias: LINK_ALIAS };
    case "nexthop":
      return { ...object, gateway: elsewhere(object.gateway).gateway };
    case "neighbour":
      return { ...object, mac: "02:00:00:00:00:fe" };
    case "fdb":
      return { ...object, remote: elsewhere(object.remote).host };
    case "route":
      return object.link === "" ? undefined : { ...object, nexthop: 0, ...elsewhere(object.destination).way };
    case "wireguard-peer":
      return { ...object, keepalive: object.keepalive + 7, allowedIps: ["10.5.250.0/24"] };
    case "xfrm-policy":
      return { ...object, priority: object.priority + 7 };
    case "sysctl":
      return { ...object, value: "7" };
    case "proxy":
      return { ...object, port: object.port + 1, checkSource: !object.checkSource };
    case "proxy-route":
      return { ...object, remote: "192.0.2.250" };
    case "hook":
      return { ...object, publicIp: "192.0.2.250" };
    case "address":
      return undefined;
  }
}
