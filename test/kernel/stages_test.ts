/** What hangs on something that could not be made is not attempted, and follows as soon as that is there. */
import assert from "node:assert/strict";
import { udp } from "../../backends/udp.ts";
import { keyOf } from "../../kernel/state.ts";
import { planned, udpOwner } from "../lib/overlay.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { setup, shown } from "../lib/reconciling.ts";

const desired = planned([2, 3], udp);
const proxyRoutes = desired.filter(({ kind }) => kind === "proxy-route").map(keyOf);

Deno.test("stages: a proxy that cannot be started takes no routes, and the kernel gets its own all the same", async () => {
  const { kernel, reconciler } = setup(new FakeKernel(), udpOwner);
  kernel.failNext("add", "EADDRINUSE", { kind: "proxy", times: 3 });
  const report = await reconciler.reconcile(desired);
  assert.deepEqual(report.failures.map(({ change }) => keyOf(change.object)), ["proxy flan0"]);
  assert.deepEqual(kernel.attempted.filter(({ object }) => object.kind === "proxy-route"), []);
  assert.deepEqual(report.done.map(({ object }) => object.kind), ["link", "address", "route"]);
  for (const key of proxyRoutes) assert.equal(report.state.get(key), "missing");
});

Deno.test("stages: the routes come in the moment in which the proxy does, however long it took", async () => {
  for (const times of [3, 4, 9]) {
    const { kernel, clock, reconciler } = setup(new FakeKernel(), udpOwner);
    kernel.failNext("add", "EADDRINUSE", { kind: "proxy", times });
    let report = await reconciler.reconcile(desired);
    for (let i = 0; i < 60 && report.retryIn !== undefined; i++) {
      assert.deepEqual(
        [report.failures.length, report.waiting.length].toSorted(),
        [0, 1],
        "one waits, and nothing else",
      );
      await clock.advance(report.retryIn);
      report = await reconciler.reconcile(desired);
    }
    assert.deepEqual(shown(report.done), ["proxy flan0", ...proxyRoutes].map((key) => `add ${key}`));
  }
});

Deno.test("stages: a link that cannot be made leaves everything else untried", async () => {
  const { kernel, reconciler } = setup(new FakeKernel(), udpOwner);
  kernel.failNext("add", "EBUSY", { kind: "link", times: 3 });
  await reconciler.reconcile(desired);
  assert.deepEqual([...new Set(shown(kernel.attempted))], ["add link flan0"]);
});

Deno.test("stages: removal runs backwards, whatever stage made what", async () => {
  const { kernel, reconciler } = setup(new FakeKernel(), udpOwner);
  await reconciler.reconcile(desired);
  const { done } = await reconciler.reconcile([]);
  assert.deepEqual(kernel.stack.objects.has("proxy flan0"), false);
  assert.deepEqual(shown(done).at(-1), "delete link flan0");
});
