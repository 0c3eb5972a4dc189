/** Comparing only what is new in a plan: the same as comparing all of it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { apart } from "../../kernel/apart.ts";
import { drift } from "../../kernel/drift.ts";
import { partOf, settle } from "../../kernel/settled.ts";
import { type KernelObject, keyOf, type Neighbour, type Route } from "../../kernel/state.ts";
import { lease, macOf, owner, planned } from "../lib/overlay.ts";
import { setup, shown } from "../lib/reconciling.ts";

Deno.test("apart: what two lists do not share, whatever their order, each as often as it is too much", () => {
  const list = fc.array(fc.nat({ max: 30 }), { maxLength: 60 });
  const shuffled = fc.tuple(list, fc.uniqueArray(fc.nat({ max: 60 }), { maxLength: 8 })).map(
    ([before, at]) => {
      const after = before.flatMap((n, i) =>
        at.includes(i) ? (i % 3 === 0 ? [] : i % 3 === 1 ? [n + 31, n] : [n + 31]) : [n]
      );
      return [before, after] as const;
    },
  );
  const count = (items: readonly number[], n: number) => items.filter((other) => other === n).length;
  fc.assert(fc.property(fc.oneof(fc.tuple(list, list), shuffled), ([before, after]) => {
    const { gone, added } = apart(before, after);
    for (const n of new Set([...before, ...after])) {
      const more = count(after, n) - count(before, n);
      assert.deepEqual([count(added, n), count(gone, n)], [Math.max(0, more), Math.max(0, -more)]);
    }
  }));
});

/** Leases that stay the same objects, as those of a store do. Host `n + 100` is host `n` with another MAC. */
const leases = Array.from(
  { length: 220 },
  (_, n) => n < 100 ? lease(n) : lease(n - 100, { backendData: { VNI: 1, VtepMAC: macOf(n) } }),
);

const peers = fc.uniqueArray(fc.integer({ min: 2, max: 109 }), {
  maxLength: 30,
  selector: (n) => n % 100,
}).map((list) =>
  list.filter((n) => n % 100 > 1).map((n) => leases[n]!).sort((a, b) => a.revision - b.revision)
);

Deno.test("settled: plan after plan, the changes are those of a whole comparison", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(peers, { minLength: 2, maxLength: 6 }), async (plans) => {
      const { kernel, reconciler } = setup();
      for (const list of plans) {
        const desired = planned(list);
        const whole = drift(desired, kernel.stack.read(), owner);
        const report = await reconciler.reconcile(desired);
        const sorted = (changes: readonly string[]) => [...changes].sort();
        assert.deepEqual(sorted(shown(report.done)), sorted(shown(whole.changes)));
        assert.deepEqual(drift(desired, kernel.stack.read(), owner).changes, []);
        assert.deepEqual([...report.state.keys()].sort(), desired.map(keyOf).sort());
      }
      assert.equal(kernel.calls.dump, 1);
    }),
    { numRuns: 60 },
  );
});

Deno.test("settled: one lease of many makes a part of its own objects only", () => {
  const many = Array.from({ length: 90 }, (_, n) => leases[n + 2]!);
  const before = planned(many);
  const believed = new Map(before.map((object) => [keyOf(object), object]));
  const settled = settle(before, believed, drift(before, before, owner))!;
  const after = planned(many.with(40, leases[142]!));
  const part = partOf(after, believed, settled)!;
  assert.deepEqual(part.desired.map(({ kind }) => kind), ["link", "fdb", "neighbour"]);
  assert.deepEqual(part.gone, [`fdb ${macOf(42)} dev flan.1`]);
});

Deno.test("settled: links, addresses and keys that something else has are for the whole comparison", () => {
  const before = planned([2, 3]);
  const believed = new Map<string, KernelObject>(before.map((object) => [keyOf(object), object]));
  const foreign: Route = {
    ...before.find(({ kind }) => kind === "route") as Route,
    destination: "10.5.4.0/24",
    protocol: 4,
  };
  believed.set(keyOf(foreign), foreign);
  const settled = settle(before, believed, drift(before, believed.values(), owner))!;
  assert.notEqual(partOf(planned([2, 3, 5]), believed, settled), undefined);
  assert.equal(partOf(planned([2, 3, 4]), believed, settled), undefined, "a foreign route");
  assert.equal(partOf([...before, before.at(-1)!], believed, settled), undefined, "a key twice");
  const withoutAddress = before.filter(({ kind }) => kind !== "address");
  assert.equal(partOf(withoutAddress, believed, settled), undefined);
  const renamed = before.map((object) => object.kind === "link" ? { ...object, mtu: 1300 } : object);
  assert.equal(partOf(renamed, believed, settled), undefined);
  assert.equal(settle([...before, before.at(-1)!], believed, drift(before, before, owner)), undefined);
});

Deno.test("settled: a neighbour that the kernel gives up while a change is under way is put back by the next call", async () => {
  const { kernel, reconciler } = setup();
  const desired = planned([2, 3]);
  await reconciler.reconcile(desired);
  const lost = desired.find((object) => object.kind === "neighbour")!;
  const failed: Neighbour = { ...lost, state: "failed" };
  const { apply } = kernel;
  kernel.apply = (changes) => {
    kernel.apply = apply;
    kernel.stack.objects.set(keyOf(lost), failed);
    const { link, ip: subject, state } = failed;
    reconciler.note({ group: "neighbour", action: "new", own: false, port: 0, link, subject, state });
    return apply.call(kernel, changes);
  };
  await reconciler.reconcile(planned([2, 3, 4]));
  await reconciler.reconcile(planned([2, 3, 4]));
  assert.deepEqual(kernel.stack.objects.get(keyOf(lost)), lost);
  assert.equal(kernel.calls.dump, 1);
});

Deno.test("settled: what a removal takes along is missed by the next call", async () => {
  const { kernel, reconciler } = setup();
  const whole = planned([2, 3]);
  await reconciler.reconcile(whole);
  // Linux drops the neighbours of a link that has lost its last address.
  const unaddressed = whole.filter(({ kind }) => kind !== "address");
  await reconciler.reconcile(unaddressed);
  await reconciler.reconcile(unaddressed);
  for (const object of unaddressed) assert.ok(kernel.stack.objects.has(keyOf(object)), keyOf(object));
  assert.equal(kernel.calls.dump, 1);
});

Deno.test("events: what this reconciler removed for a peer is known to be gone, what it made is not", async () => {
  const { reconciler } = setup();
  await reconciler.reconcile(planned([2, 3]));
  await reconciler.reconcile(planned([2]));
  const gone = (n: number) =>
    ({ group: "neighbour", action: "delete", own: false, port: 0, link: "flan.1", mac: macOf(n) }) as const;
  assert.deepEqual([reconciler.knows(gone(3)), reconciler.knows(gone(2))], [true, false]);
  assert.equal(reconciler.knows({ ...gone(3), action: "new" }), false);
  const { mac: _, ...nameless } = gone(3);
  assert.equal(reconciler.knows(nameless), false, "which entry it was is not known");
  const neighbour = (n: number) => ({ ...nameless, subject: `10.5.${n}.0` });
  assert.deepEqual([reconciler.knows(neighbour(3)), reconciler.knows(neighbour(2))], [true, false]);
});
