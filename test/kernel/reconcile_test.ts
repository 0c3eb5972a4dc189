/** The reconciler's rules, one by one. */
import assert from "node:assert/strict";
import { type KernelObject, keyOf, type Link, type Neighbour, type Route } from "../../kernel/state.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { lease, macOf, planned } from "../lib/overlay.ts";
import { contents, setup, shown, untilQuiet } from "../lib/reconciling.ts";

const plan = planned([2, 3]);
const link = plan[0] as Link;
const route2 = plan.find((object) => object.kind === "route") as Route;
const neighbour2 = plan.find((object) => object.kind === "neighbour") as Neighbour;

Deno.test("rule 1: ownership is marked: what is not marked stays as it was through join, change and leave", async () => {
  const kernel = new FakeKernel();
  kernel.stack.add({ ...route2, destination: "10.5.77.0/24", link: "eth0", nexthop: 0, protocol: 4 });
  kernel.stack.add({ ...neighbour2, link: "eth0", ip: "192.0.2.77", protocol: 0 });
  kernel.stack.add({ ...link, name: "flan.7", alias: "flan other", vxlan: { ...link.vxlan!, vni: 7 } });
  const before = contents(kernel);
  const { reconciler } = setup(kernel);
  await reconciler.reconcile(plan);
  await reconciler.reconcile(planned([3, 4]));
  assert.notDeepEqual(contents(kernel), before);
  await reconciler.reconcile([]);
  assert.deepEqual(contents(kernel), before);
});

Deno.test("rule 2: create exclusively: a foreign route that appears after the dump is not overwritten", async () => {
  const test = setup();
  const { kernel, reconciler } = test;
  await reconciler.reconcile(planned([3]));
  const foreign: Route = { ...route2, nexthop: 0, link: "eth0", gateway: "", onlink: false, protocol: 4 };
  kernel.stack.add(foreign);
  const report = await reconciler.reconcile(plan);
  assert.deepEqual(report.conflicts, [{ code: "foreign-route", wanted: route2, found: foreign }]);
  assert.deepEqual(kernel.stack.objects.get(keyOf(foreign)), foreign);
  assert.equal(report.state.get(keyOf(route2)), "foreign");
  assert.deepEqual(report.failures, []);
  assert.equal(report.retryIn, undefined);
});

Deno.test("rule 2: replace only what is ours: the verb replace is never used on a foreign object", async () => {
  const { kernel, reconciler } = setup();
  kernel.stack.add({ ...route2, nexthop: 0, link: "eth0", gateway: "", protocol: 2 });
  kernel.stack.add({ ...link, alias: "mine" });
  await reconciler.reconcile(plan);
  assert.deepEqual(kernel.attempted, []);
});

Deno.test("rule 3: order: made from the link to the route, removed backwards", async () => {
  const { kernel, reconciler } = setup();
  await reconciler.reconcile(planned([2]));
  await reconciler.reconcile(planned([]));
  assert.deepEqual(kernel.attempted.map(({ verb, object }) => `${verb} ${object.kind}`), [
    "add link",
    "add address",
    "add nexthop",
    "add fdb",
    "add neighbour",
    "add route",
    "delete route",
    "delete neighbour",
    "delete fdb",
    "delete nexthop",
  ]);
});

Deno.test("rule 3: a changed peer is replaced in place: its packets always find route, MAC and endpoint", async () => {
  const { kernel, reconciler } = setup();
  await reconciler.reconcile(plan);
  const gaps: string[] = [];
  kernel.stack.listen(() => {
    const objects = [...kernel.stack.read()];
    const entry = objects.find((object) => keyOf(object) === keyOf(neighbour2));
    const mac = entry?.kind === "neighbour" ? entry.mac : "";
    if (!objects.some((object) => object.kind === "fdb" && object.mac === mac)) {
      gaps.push(`no FDB for ${mac}`);
    }
    if (!objects.some((object) => keyOf(object) === keyOf(route2))) gaps.push("no route");
  });
  const moved = lease(2, { publicIp: "192.0.2.99", backendData: { VNI: 1, VtepMAC: macOf(99) } });
  const report = await reconciler.reconcile(planned([moved, 3]));
  assert.deepEqual(gaps, []);
  assert.deepEqual(shown(report.done), [
    `add fdb ${macOf(99)} dev flan.1`,
    "replace neighbour 10.5.2.0 dev flan.1",
    `delete fdb ${macOf(2)} dev flan.1`,
  ]);
});

Deno.test("rule 4: batches: a link in one call, and all the rest in one", async () => {
  const { kernel, reconciler } = setup();
  await reconciler.reconcile(planned([2, 3, 4, 5, 6, 7, 8]));
  assert.deepEqual([kernel.calls.dump, kernel.calls.apply], [1, 2]);
});

Deno.test("rule 4: errors are matched to their message: one that fails does not hide that the others are done", async () => {
  const { kernel, reconciler } = setup();
  kernel.failNext("add", "EPERM", { kind: "neighbour" });
  const report = await reconciler.reconcile(plan);
  const tried = shown(kernel.attempted).filter((change) => change.startsWith("add neighbour"));
  const [second, third] = ["add neighbour 10.5.2.0 dev flan.1", "add neighbour 10.5.3.0 dev flan.1"];
  assert.deepEqual(tried, [second, third, second]);
  assert.deepEqual([report.failures, report.done.length], [[], plan.length]);
});

Deno.test("what fails three times at once is in the report, with how the others stand", async () => {
  const { kernel, reconciler } = setup();
  kernel.failNext("add", "EPERM", { kind: "route", times: 3 });
  const report = await reconciler.reconcile(planned([2]));
  assert.deepEqual(report.failures.map(({ change, error }) => [keyOf(change.object), error.errno]), [
    [keyOf(route2), "EPERM"],
  ]);
  assert.equal(report.state.get(keyOf(route2)), "missing");
  assert.equal(report.state.get(keyOf(neighbour2)), "ok");
});

Deno.test("rule 5: resync at start, and when asked; not otherwise", async () => {
  const { kernel, reconciler } = setup();
  assert.equal((await reconciler.reconcile(plan)).resynced, true);
  assert.equal((await reconciler.reconcile(planned([2]))).resynced, false);
  assert.equal(kernel.calls.dump, 1);
  assert.equal((await reconciler.reconcile(plan, { resync: true })).resynced, true);
  assert.equal(kernel.calls.dump, 2);
});

for (const group of ["link", "address", "overrun", "nexthop"] as const) {
  Deno.test(`rule 5: resync on an event of group ${group}`, async () => {
    const { kernel, reconciler } = setup();
    await reconciler.reconcile(plan);
    kernel.stack.delete(route2);
    assert.equal(reconciler.note({ group, action: "new", own: false, port: 77 }), true);
    const report = await reconciler.reconcile(plan);
    assert.deepEqual([report.resynced, shown(report.done)], [true, [`add ${keyOf(route2)}`]]);
  });
}

Deno.test("rule 5: routes that went silently with the link are there again after its event", async () => {
  const { kernel, reconciler } = setup();
  await reconciler.reconcile(plan);
  const before = contents(kernel);
  kernel.stack.replace({ ...link, up: false });
  kernel.stack.replace(link);
  assert.notDeepEqual(contents(kernel), before);
  reconciler.note({ group: "link", action: "new", own: false, port: 77, link: "flan.1" });
  await reconciler.reconcile(plan);
  assert.deepEqual(contents(kernel), before);
});

Deno.test("rule 6: quiet: an unchanged plan costs no call, and one dump when asked to look", async () => {
  const { kernel, reconciler } = setup();
  await reconciler.reconcile(plan);
  const calls = kernel.callCount;
  const again = await reconciler.reconcile(planned([2, 3]));
  assert.equal(kernel.callCount, calls);
  assert.deepEqual([again.done, again.resynced], [[], false]);
  assert.deepEqual(new Set(again.state.values()), new Set(["ok"]));
  await reconciler.reconcile(plan, { resync: true });
  assert.deepEqual([kernel.callCount, kernel.calls.dump], [calls + 1, 2]);
});

Deno.test("rule 6: a failing object is retried with back-off, reported while it waits, and forgotten when it is well again", async () => {
  const test = setup();
  const { kernel, clock, reconciler } = test;
  kernel.failNext("add", "ENOBUFS", { kind: "route", times: 8 });
  const waits: number[] = [];
  for (let report = await reconciler.reconcile(planned([2])); report.retryIn !== undefined;) {
    waits.push(report.retryIn);
    const attempts = kernel.attempted.length;
    const waiting = await reconciler.reconcile(planned([2]));
    assert.equal(kernel.attempted.length, attempts, "tried before its time");
    assert.deepEqual(waiting.waiting.map(({ error }) => error.errno), ["ENOBUFS"]);
    await clock.advance(report.retryIn);
    report = await reconciler.reconcile(planned([2]));
    if (report.retryIn === undefined) assert.deepEqual([report.failures, report.waiting], [[], []]);
  }
  assert.equal(waits.length, 6);
  waits.forEach((wait, i) => assert.ok(wait >= 1000 * 2 ** i && wait < 2000 * 2 ** i, `${wait} ms at ${i}`));
});

Deno.test("rule 6: the wait grows to between 30 s and 60 s, never more", async () => {
  const { kernel, clock, reconciler } = setup();
  kernel.failNext("add", "EPERM", { kind: "route", times: Infinity });
  let retryIn = 0;
  for (let i = 0; i < 12; i++) {
    await clock.advance(retryIn);
    retryIn = (await reconciler.reconcile(planned([2]))).retryIn!;
  }
  assert.ok(retryIn >= 30_000 && retryIn <= 60_000, `${retryIn} ms`);
});

Deno.test("rule 6: many objects that fail alike are all reported, each with its error", async () => {
  const { kernel, reconciler } = setup();
  kernel.failNext("add", "ENOBUFS", { kind: "neighbour", times: 30 });
  const { failures } = await reconciler.reconcile(planned([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]));
  assert.equal(failures.length, 10);
  assert.deepEqual(new Set(failures.map(({ error }) => error.errno)), new Set(["ENOBUFS"]));
});

Deno.test("rule 6: another value of a failing object is tried at once", async () => {
  const { kernel, reconciler } = setup();
  kernel.failNext("add", "EPERM", { kind: "fdb", times: 3 });
  await reconciler.reconcile(planned([2]));
  assert.equal(kernel.heal(), 0);
  const moved = planned([lease(2, { publicIp: "192.0.2.99" })]);
  assert.deepEqual(shown((await reconciler.reconcile(moved)).done), [`add fdb ${macOf(2)} dev flan.1`]);
});

Deno.test("rule 6: a link event lets what failed be tried a second after its last attempt", async () => {
  const { kernel, clock, reconciler } = setup();
  kernel.failNext("add", "ENODEV", { kind: "link", times: 6 });
  for (let i = 0; i < 4; i++) await clock.advance((await reconciler.reconcile(plan)).retryIn!);
  const late = await reconciler.reconcile(plan);
  assert.equal(late.failures.length, 0);
  kernel.failNext("add", "ENETDOWN", { kind: "route", times: 30 });
  let report = await reconciler.reconcile(planned([2, 3, 4]));
  for (let i = 0; i < 5; i++) {
    await clock.advance(report.retryIn!);
    report = await reconciler.reconcile(planned([2, 3, 4]));
  }
  assert.ok(report.retryIn! > 10_000);
  kernel.heal();
  reconciler.note({ group: "link", action: "new", own: false, port: 0, link: "eth0" });
  const attempts = kernel.attempted.length;
  const hastened = await reconciler.reconcile(planned([2, 3, 4]));
  assert.deepEqual([kernel.attempted.length, hastened.retryIn], [attempts, 1000]);
  await clock.advance(1000);
  assert.equal((await reconciler.reconcile(planned([2, 3, 4]))).retryIn, undefined);
});

Deno.test("rule 7: peers that went away while nobody ran lose their entries at start-up", async () => {
  const kernel = new FakeKernel();
  await setup(kernel).reconciler.reconcile(planned([2, 3, 9]));
  const restarted = setup(kernel).reconciler;
  const report = await restarted.reconcile(plan);
  assert.deepEqual(shown(report.done), [
    "delete route 10.5.9.0/24 metric 0",
    "delete neighbour 10.5.9.0 dev flan.1",
    `delete fdb ${macOf(9)} dev flan.1`,
    "delete nexthop 168102144",
  ]);
});

Deno.test("rule 8: the data plane outlives the agent: a restart with the same plan changes nothing", async () => {
  const kernel = new FakeKernel();
  await setup(kernel).reconciler.reconcile(plan);
  kernel.close();
  const attempts = kernel.attempted.length;
  const report = await setup(kernel).reconciler.reconcile(plan);
  assert.deepEqual([report.done, kernel.attempted.length], [[], attempts]);
});

Deno.test("a link that cannot be made is the only failure: what would live on it is not attempted", async () => {
  const { kernel, reconciler } = setup();
  kernel.failNext("add", "EOPNOTSUPP", { kind: "link", times: Infinity });
  const report = await reconciler.reconcile(plan);
  assert.deepEqual(report.failures.map(({ change }) => keyOf(change.object)), ["link flan.1"]);
  assert.deepEqual(new Set(kernel.attempted.map(({ object }) => object.kind)), new Set(["link"]));
  await reconciler.reconcile(plan);
  assert.equal(kernel.attempted.length, 3);
});

Deno.test("what cannot be tried because its link is gone is not said to be well", async () => {
  const { clock, kernel, reconciler } = setup();
  kernel.failNext("add", "ENOBUFS", { kind: "route", times: 3 });
  await clock.advance((await reconciler.reconcile(planned([2]))).retryIn!);
  kernel.stack.delete(link);
  kernel.failNext("add", "EBUSY", { kind: "link", times: 3 });
  const report = await reconciler.reconcile(planned([2]));
  assert.deepEqual(report.failures.map(({ error }) => error.errno), ["EBUSY"]);
  assert.notEqual(report.state.get(keyOf(route2)), "ok");
});

for (const verb of ["dump", "apply"] as const) {
  Deno.test(`a whole ${verb} that fails is reported until one succeeds, and tried again with back-off`, async () => {
    const test = setup();
    const { kernel, clock, reconciler } = test;
    kernel.failNext(verb, "EPERM", { times: 2 });
    const first = await reconciler.reconcile(plan);
    assert.match(String(first.error), /EPERM/);
    assert.ok(first.retryIn! >= 1000 && first.retryIn! < 2000);
    const calls = kernel.callCount;
    assert.match(String((await reconciler.reconcile(plan)).error), /EPERM/);
    assert.equal(kernel.callCount, calls, "tried before its time");
    await clock.advance(first.retryIn!);
    assert.notEqual((await reconciler.reconcile(plan)).error, undefined);
    const report = await untilQuiet(test, plan);
    assert.deepEqual([report.error, new Set(report.state.values())], [undefined, new Set(["ok"])]);
  });
}

Deno.test("a conflict is reported as long as it lasts, and then ours is made", async () => {
  const { kernel, reconciler } = setup();
  const foreign: Route = { ...route2, nexthop: 0, link: "eth0", gateway: "", onlink: false, protocol: 4 };
  kernel.stack.add(foreign);
  for (const resync of [false, true]) {
    const { conflicts } = await reconciler.reconcile(plan, { resync });
    assert.deepEqual(conflicts, [{ code: "foreign-route", wanted: route2, found: foreign }]);
  }
  kernel.stack.delete(foreign);
  const event = {
    group: "route",
    action: "delete",
    own: false,
    port: 7,
    subject: "10.5.2.0/24",
    protocol: 4,
  } as const;
  assert.equal(reconciler.note(event), true);
  const { done, conflicts } = await reconciler.reconcile(plan);
  assert.deepEqual([shown(done), conflicts], [[`add ${keyOf(route2)}`], []]);
});

Deno.test("an address that the kernel asks for is answered with one call and without a dump", async () => {
  const { kernel, reconciler } = setup();
  const base: KernelObject[] = plan.filter(({ kind }) => kind === "link" || kind === "address");
  await reconciler.reconcile(base);
  kernel.stack.ask("flan.1", "10.5.2.7");
  const wanted: Neighbour = { ...neighbour2, ip: "10.5.2.7", state: "reachable" };
  const event = { group: "neighbour", action: "wanted", own: false, port: 0, link: "flan.1" } as const;
  assert.equal(reconciler.note({ ...event, subject: "10.5.2.7", state: "incomplete" }), true);
  const calls = kernel.callCount;
  const report = await reconciler.reconcile([...base, wanted]);
  assert.deepEqual(shown(report.done), ["replace neighbour 10.5.2.7 dev flan.1"]);
  assert.equal(kernel.callCount, calls + 1);
  assert.deepEqual(kernel.stack.objects.get(keyOf(wanted)), wanted);
});
