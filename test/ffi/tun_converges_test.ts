/** Whatever happens to the TUN link of a host on Linux, with and without a reader, it ends as planned. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { closeFd } from "../../ffi/libc.ts";
import { openTunQueue } from "../../ffi/tun.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { Reconciler } from "../../kernel/reconcile.ts";
import { type KernelObject, keyOf } from "../../kernel/state.ts";
import { teardown } from "../../kernel/teardown.ts";
import { udpOwner, udpPlanned } from "../lib/udp_plan.ts";
import { ip, withSystem } from "./system.ts";

/** Without the proxy, which is not the kernel's. */
const kernelsOwn = (objects: readonly KernelObject[]) =>
  objects.filter(({ kind }) => kind !== "proxy" && kind !== "proxy-route");

const plan = kernelsOwn(udpPlanned([2, 3]));
const oneQueue = { multiQueue: false };

async function ours(kernel: Kernel): Promise<unknown[]> {
  const objects = await kernel.dump({ links: udpOwner.links, sysctls: [] });
  return objects.filter((object) =>
    object.kind === "link"
      ? object.alias === udpOwner.alias
      : "link" in object && object.link.startsWith("flan")
  ).sort((a, b) => plan.map(keyOf).indexOf(keyOf(a)) - plan.map(keyOf).indexOf(keyOf(b)));
}

/** What somebody does, and how many changes mend it. */
const deeds: readonly [string, readonly string[], number][] = [
  ["takes its carrier", [], 0],
  ["sets it down", ["link set flan0 down"], 2],
  ["sets it down and up", ["link set flan0 down", "link set flan0 up"], 1],
  ["renames it", ["link set flan0 name foo0"], 4],
  ["renames it and sets it down", ["link set flan0 down", "link set flan0 name foo0"], 4],
  ["deletes it", ["link delete flan0"], 3],
  ["takes its address", ["address delete 10.5.1.0/32 dev flan0"], 2],
  ["takes its route", ["route delete 10.5.0.0/16"], 1],
  ["changes its MTU and its queue", ["link set flan0 mtu 1300 txqueuelen 77"], 1],
  ["flushes everything on it", ["address flush dev flan0", "route flush dev flan0"], 2],
];

for (const [what, lines, changes] of deeds) {
  for (const read of [false, true]) {
    Deno.test(`tun on Linux: somebody ${what}, ${read ? "with" : "without"} a reader`, () =>
      withSystem(async (_system, kernel) => {
        const reconciler = new Reconciler(kernel, { owner: udpOwner, clock: systemClock });
        assert.deepEqual((await reconciler.reconcile(plan)).failures, []);
        const fd = read ? openTunQueue("flan0", oneQueue) : -1;
        try {
          assert.deepEqual(await ours(kernel), plan);
          for (const line of lines) await ip(line);
          const { done, failures, conflicts } = await reconciler.reconcile(plan, { resync: true });
          assert.deepEqual([failures, conflicts], [[], []]);
          assert.equal(done.length, changes, JSON.stringify(done));
          assert.deepEqual(await ours(kernel), plan);
        } finally {
          if (read) closeFd(fd);
        }
        // The reader is gone, and with it the carrier.
        assert.deepEqual((await reconciler.reconcile(plan, { resync: true })).done, []);
        assert.equal((await kernel.routeGet("10.5.9.9")).link, "flan0");
        await teardown(kernel, udpOwner);
        assert.deepEqual(await ours(kernel), []);
      }));
  }
}

Deno.test("tun on Linux: a device of ours with more queues is made anew while it is read", () =>
  withSystem(async (_system, kernel) => {
    const reconciler = new Reconciler(kernel, { owner: udpOwner, clock: systemClock });
    const several = kernelsOwn(udpPlanned([], { link: { tun: { multiQueue: true, queueLength: 1000 } } }));
    await reconciler.reconcile(several);
    const fd = openTunQueue("flan0", { multiQueue: true });
    assert.deepEqual((await reconciler.reconcile(plan)).failures, []);
    assert.deepEqual(await ours(kernel), plan);
    closeFd(fd);
    assert.deepEqual(await ours(kernel), plan);
  }));

Deno.test("tun on Linux: a device of somebody else under our name is left alone, and named", () =>
  withSystem(async (_system, kernel) => {
    await ip("tuntap add dev flan0 mode tun");
    const before = await kernel.dump({ links: ["flan0"], sysctls: [] });
    const reconciler = new Reconciler(kernel, { owner: { ...udpOwner, macs: [""] }, clock: systemClock });
    const { done, conflicts } = await reconciler.reconcile(plan);
    assert.deepEqual([done, conflicts.map(({ code }) => code)], [[], ["foreign-link"]]);
    await teardown(kernel, udpOwner);
    assert.deepEqual(await kernel.dump({ links: ["flan0"], sysctls: [] }), before);
  }));
