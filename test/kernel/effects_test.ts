/** What is believed after changes is what the kernel in memory holds after them. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { recordChanges } from "../../kernel/effects.ts";
import type { Change } from "../../kernel/kernel.ts";
import { type KernelObject, keyOf, type Link } from "../../kernel/state.ts";
import { dualStack } from "../../backends/dual.ts";
import { vxlan } from "../../backends/vxlan.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { macOf, view } from "../lib/overlay.ts";
import { contents } from "../lib/reconciling.ts";
import { dualHost, dualView } from "../lib/stacks.ts";

const plan = dualStack(vxlan).plan(dualView(view([2, 3])), dualHost()).objects
  .filter(({ kind }) => kind !== "sysctl");
const link = plan[0] as Link;
const objects: KernelObject[] = [
  ...plan,
  { ...link, mac: macOf(9) },
  { ...link, mtu: 1300 },
  ...plan.flatMap((object) => object.kind === "neighbour" ? [{ ...object, mac: macOf(9) }] : []),
  ...plan.flatMap((object) => object.kind === "fdb" ? [{ ...object, remote: "192.0.2.9" }] : []),
];

function believed(kernel: FakeKernel): Map<string, KernelObject> {
  // Routes that the kernel makes for addresses are nobody's business.
  const ours = contents(kernel).filter((object) => object.kind !== "route" || object.protocol !== 2);
  return new Map(ours.map((object) => [keyOf(object), object]));
}

Deno.test("effects: whatever the kernel acknowledges, one at a time or together, is believed as it is", async () => {
  const change: fc.Arbitrary<Change> = fc.record({
    verb: fc.constantFrom("add", "replace", "delete"),
    object: fc.constantFrom(...objects),
  });
  await fc.assert(fc.asyncProperty(fc.array(fc.array(change, { maxLength: 12 })), async (batches) => {
    const kernel = new FakeKernel();
    for (const object of plan) kernel.stack.add(object);
    const state = believed(kernel);
    for (const batch of batches) {
      const refused = new Set((await kernel.apply(batch)).map((failure) => failure.change));
      recordChanges(state, batch.filter((change) => !refused.has(change)));
    }
    const sorted = [...state].sort(([a], [b]) => a < b ? -1 : 1);
    assert.deepEqual(sorted, [...believed(kernel)]);
  }));
});

Deno.test("effects: of two objects with one key, removing one leaves the other", () => {
  const route = plan.at(-1)!;
  const state = new Map([[keyOf(route), route]]);
  recordChanges(state, [{
    verb: "delete",
    object: { ...route, metric: 0, type: "blackhole" } as KernelObject,
  }]);
  assert.equal(state.size, 1);
});
