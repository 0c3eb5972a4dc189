/** Random walks of a host of the udp backend: what is believed is what is there, and the plan always wins. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { drift } from "../../kernel/drift.ts";
import { recordChanges } from "../../kernel/effects.ts";
import type { Change, KernelEvent } from "../../kernel/kernel.ts";
import { type KernelObject, keyOf } from "../../kernel/state.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { contents, setup, shown } from "../lib/reconciling.ts";
import { proxyRoute, udpOwner, udpPlanned } from "../lib/udp_plan.ts";

const acts = ["deleteRoute", "deleteAddress", "unlink", "kill", "fail", "down", "shrink", "forget"] as const;
type Step = { peers: number[] } | { act: typeof acts[number] };

const peers = fc.uniqueArray(fc.oneof(fc.integer({ min: 2, max: 7 }), fc.integer({ min: 1002, max: 1007 })), {
  selector: (n) => n % 1000,
});
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ peers }),
  fc.record({ act: fc.constantFrom(...acts) }),
);

/** Interferes as another program, or the proxy's own failure, would; it is announced as it is in life. */
function interfere({ stack }: FakeKernel, act: typeof acts[number]): void {
  const link = stack.link("flan0");
  if (!link) return;
  const remove = (key: string) => {
    const object = stack.objects.get(key);
    if (object) stack.delete(object, 77);
  };
  if (act === "deleteRoute") remove("route 10.5.0.0/16 metric 0");
  else if (act === "deleteAddress") remove("address 10.5.1.0/32 dev flan0");
  else if (act === "unlink") stack.delete(link, 77);
  else if (act === "kill") remove("proxy flan0");
  else if (act === "fail") stack.failProxy("flan0");
  else if (act === "shrink") stack.replace({ ...link, mtu: 1300 }, 77);
  else if (act === "down") {
    stack.replace({ ...link, up: false }, 77);
    stack.replace(link, 77);
  }
}

const sorted = (objects: readonly KernelObject[]) => objects.toSorted((a, b) => keyOf(a) < keyOf(b) ? -1 : 1);

Deno.test("udp: a random walk of hosts and damage, told only by events, always ends with the plan", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
      const kernel = new FakeKernel();
      const base = contents(kernel);
      const test = setup(kernel, udpOwner);
      kernel.stack.listen((event) => {
        const told: KernelEvent = { ...event, own: event.port === kernel.port };
        test.reconciler.note(told);
      });
      let hosts: number[] = [];
      for (const step of steps) {
        if ("peers" in step) hosts = step.peers;
        else if (step.act === "forget") test.reconciler = setup(kernel, udpOwner).reconciler;
        else interfere(kernel, step.act);
        const plan = udpPlanned(hosts);
        await test.reconciler.reconcile(plan);
        assert.deepEqual(contents(kernel), sorted([...base, ...plan]));
        const again = await test.reconciler.reconcile(plan, { resync: true });
        assert.deepEqual(again.done, []);
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("udp: plan after plan, the changes are those of a whole comparison, from one dump", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(peers, { minLength: 2, maxLength: 6 }), async (plans) => {
      const { kernel, reconciler } = setup(undefined, udpOwner);
      for (const hosts of plans) {
        const desired = udpPlanned(hosts);
        const whole = drift(desired, kernel.stack.read(), udpOwner);
        const report = await reconciler.reconcile(desired);
        assert.deepEqual(shown(report.done).sort(), shown(whole.changes).sort());
        assert.deepEqual(drift(desired, kernel.stack.read(), udpOwner).changes, []);
        assert.deepEqual([...report.state.keys()].sort(), desired.map(keyOf).sort());
      }
      assert.equal(kernel.calls.dump, 1);
    }),
    { numRuns: 60 },
  );
});

const plan = udpPlanned([2, 3]);
const variants: KernelObject[] = [
  ...plan,
  ...udpPlanned([1002], { link: { mtu: 1300 }, proxy: { port: 1 } }),
  ...udpPlanned([], { link: { tun: { multiQueue: true, queueLength: 9 } }, proxy: { queues: 2 } }),
  ...udpPlanned([], {
    link: { tun: { multiQueue: false, queueLength: 9 }, up: true },
    proxy: { address: "192.0.2.9" },
  }),
];

Deno.test("udp: whatever is acknowledged, one at a time or together, is believed as it is", async () => {
  const believed = (kernel: FakeKernel) => new Map(contents(kernel).map((object) => [keyOf(object), object]));
  const change: fc.Arbitrary<Change> = fc.record({
    verb: fc.constantFrom("add", "replace", "delete"),
    object: fc.constantFrom(...variants),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(change, { maxLength: 12 })), async (batches) => {
      const kernel = new FakeKernel();
      for (const object of plan) kernel.stack.add(object);
      const state = believed(kernel);
      for (const batch of batches) {
        const refused = new Set((await kernel.apply(batch)).map((failure) => failure.change));
        recordChanges(state, batch.filter((change) => !refused.has(change)));
      }
      assert.deepEqual([...state].sort(([a], [b]) => a < b ? -1 : 1), [...believed(kernel)]);
    }),
    { numRuns: 300 },
  );
});

Deno.test("udp: ten thousand hosts come, one moves, and only its route is told", async () => {
  const many = Array.from({ length: 10_000 }, (_, i): KernelObject => ({
    ...proxyRoute(2),
    destination: `10.5.${i >> 8}.${i & 255}/32`,
  } as KernelObject));
  const desired = [...plan, ...many];
  const { kernel, reconciler } = setup(undefined, udpOwner);
  await reconciler.reconcile(desired);
  const moved = { ...many[4242]!, remote: "192.0.2.99" } as KernelObject;
  const { done } = await reconciler.reconcile(desired.with(plan.length + 4242, moved));
  assert.deepEqual(done, [{ verb: "replace", object: moved }]);
  assert.equal(kernel.calls.dump, 1);
});
