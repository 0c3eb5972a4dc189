/** What `flan down` takes away, and what it leaves. */
import assert from "node:assert/strict";
import { aliasOf, type KernelObject, keyOf, type Link } from "../../kernel/state.ts";
import { teardown } from "../../kernel/teardown.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { NODE, planned } from "../lib/overlay.ts";
import { contents, setup, shown } from "../lib/reconciling.ts";

/** All that `down` knows after a crash. */
const unknowing = { alias: aliasOf(NODE), links: [] };

const plan = planned([2, 3]);
const link = plan[0] as Link;

Deno.test("teardown: leaves the stack as it was before the join, and says what it removed", async () => {
  const kernel = new FakeKernel();
  const before = contents(kernel);
  await setup(kernel).reconciler.reconcile(plan);
  const { removed, failures } = await teardown(kernel, { ...unknowing, network: "10.5.0.0/16" });
  assert.deepEqual(contents(kernel), before);
  assert.deepEqual(failures, []);
  assert.deepEqual(removed.map(keyOf), plan.map(keyOf));
});

Deno.test("teardown: works without knowing the network or the device's name, and twice", async () => {
  const kernel = new FakeKernel();
  const before = contents(kernel);
  await setup(kernel).reconciler.reconcile(plan);
  kernel.stack.replace({ ...link, up: false });
  const { removed } = await teardown(kernel, unknowing);
  assert.ok(removed.some((object) => keyOf(object) === "link flan.1"));
  assert.deepEqual(contents(kernel), before);
  assert.deepEqual(await teardown(kernel, unknowing), { removed: [], failures: [] });
});

Deno.test("teardown: touches nothing that is not ours, not even under our device's name", async () => {
  const kernel = new FakeKernel();
  const others: KernelObject[] = [
    { ...link, alias: "mine" },
    { kind: "address", link: "flan.1", address: "10.5.1.0/32" },
    { ...link, name: "flan.2", alias: "flan other", vxlan: { ...link.vxlan!, vni: 2 } },
    { kind: "nexthop", id: 9, gateway: "192.0.2.9", link: "eth0", onlink: false, protocol: 113 },
  ];
  for (const object of others) assert.equal(kernel.stack.add(object), undefined);
  const before = contents(kernel);
  assert.deepEqual(await teardown(kernel, { ...unknowing, links: ["flan.1"] }), {
    removed: [],
    failures: [],
  });
  assert.deepEqual(contents(kernel), before);
  assert.deepEqual(kernel.attempted, []);
});

Deno.test("teardown: a refused removal is tried again, and reported when it stays", async () => {
  const kernel = new FakeKernel();
  await setup(kernel).reconciler.reconcile(plan);
  kernel.failNext("delete", "EBUSY", { times: 2 });
  assert.deepEqual((await teardown(kernel, unknowing)).failures, []);
  await setup(kernel).reconciler.reconcile(plan);
  kernel.failNext("delete", "EBUSY", { times: 3 });
  const { removed, failures } = await teardown(kernel, unknowing);
  assert.deepEqual([removed, shown(failures.map(({ change }) => change))], [[], ["delete link flan.1"]]);
});

Deno.test("teardown: a kernel that cannot be read is an error, not an empty answer", async () => {
  const kernel = new FakeKernel();
  kernel.failNext("dump", "EPERM");
  await assert.rejects(teardown(kernel, unknowing), { errno: "EPERM", code: "not-permitted" });
});
