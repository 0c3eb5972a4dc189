/** Random walks: peers come and go, others interfere, events are delivered; the kernel always ends as planned. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { KernelEvent } from "../../kernel/kernel.ts";
import { type KernelObject, keyOf, type Link } from "../../kernel/state.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { lease, macOf, planned } from "../lib/overlay.ts";
import { contents, setup } from "../lib/reconciling.ts";

type Step = { peers: number[] } | {
  act: "delete" | "damage" | "down" | "remac" | "unlink" | "forget";
  at: number;
};

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ peers: fc.uniqueArray(fc.integer({ min: 2, max: 7 })) }),
  fc.record({
    act: fc.constantFrom("delete", "damage", "down", "remac", "unlink", "forget"),
    at: fc.nat({ max: 40 }),
  }),
);

/** Interferes as another program would; what it does is announced as Linux announces it. */
function interfere(kernel: FakeKernel, step: Exclude<Step, { peers: number[] }>): void {
  const { stack } = kernel;
  const objects = [...stack.read()].filter((object) => "link" in object && object.link === "flan.1");
  const object = objects[step.at % Math.max(1, objects.length)];
  const link = stack.link("flan.1");
  if (!link || !object) return;
  if (step.act === "delete") stack.delete(object, 77);
  else if (step.act === "unlink") stack.delete(link, 77);
  else if (step.act === "remac") stack.replace({ ...link, mac: macOf(200 + step.at) }, 77);
  else if (step.act === "damage") {
    if (object.kind === "neighbour") stack.replace({ ...object, mac: macOf(99) }, 77);
    if (object.kind === "fdb") stack.replace({ ...object, remote: "192.0.2.99" }, 77);
    if (object.kind === "nexthop") stack.replace({ ...object, gateway: "10.5.99.0" }, 77);
  } else if (step.act === "down") {
    stack.replace({ ...link, up: false }, 77);
    stack.replace(link, 77);
  }
}

function sorted(objects: readonly KernelObject[]): KernelObject[] {
  return objects.toSorted((a, b) => keyOf(a) < keyOf(b) ? -1 : 1);
}

Deno.test("a random walk of peers and damage, told only by events, always ends with the plan", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
      const kernel = new FakeKernel();
      const base = contents(kernel);
      const test = setup(kernel);
      kernel.stack.listen((event) => {
        const told: KernelEvent = { ...event, own: event.port === kernel.port };
        test.reconciler.note(told);
      });
      let peers: number[] = [];
      for (const step of steps) {
        if ("peers" in step) peers = step.peers;
        else if (step.act === "forget") test.reconciler = setup(kernel).reconciler;
        else interfere(kernel, step);
        const plan = planned(peers.map((n) => lease(n)));
        await test.reconciler.reconcile(plan);
        assert.deepEqual(contents(kernel), sorted([...base, ...plan]));
        const again = await test.reconciler.reconcile(plan, { resync: true });
        assert.deepEqual(again.done, []);
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("ten thousand peers come and go, and the kernel follows", async () => {
  const peers = Array.from({ length: 10_000 }, (_, i) =>
    lease(1, {
      subnet: `10.${64 + (i >> 8)}.${i & 255}.0/24`,
      publicIp: `172.16.${i >> 8}.${i & 255}`,
      backendData: { VNI: 1, VtepMAC: macOf(i + 256) },
    }));
  const plan = planned(peers);
  assert.equal(plan.length, 40_002);
  const { kernel, reconciler } = setup();
  await reconciler.reconcile(plan);
  const report = await reconciler.reconcile(plan, { resync: true });
  assert.deepEqual([report.done.length, report.state.size], [0, 40_002]);
  assert.equal(kernel.stack.objects.size, 40_002 + 4);
  assert.ok(plan[0]!.kind === "link" && (plan[0] as Link).name === "flan.1");
});
