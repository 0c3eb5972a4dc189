/** Many hosts on one server. */
import assert from "node:assert/strict";
import { systemClock } from "../../../agent/clock.ts";
import { acquire } from "../../../lease/manager.ts";
import { silent } from "../../../net/log.ts";
import { config, lease, until } from "../../conformance/store_case.ts";
import { ServedStore } from "./served.ts";

/** Watches of `count` hosts, each of which says when it has seen a lease of `node`. */
async function watchers(served: ServedStore, count: number) {
  const over = new AbortController();
  const { revision } = await served.local().read();
  const iterators = Array.from(
    { length: count },
    () => served.store().watch(revision, over.signal, { troubled: () => {} })[Symbol.asyncIterator](),
  );
  const sees = (node: string) =>
    Promise.all(iterators.map((iterator) =>
      until(
        async () => (await iterator.next()).value!,
        ({ records }) => records.some((record) => record.node === node),
      )
    ));
  return {
    sees,
    async close() {
      over.abort();
      await Promise.all(iterators.map((iterator) => iterator.return?.(undefined)));
    },
  };
}

async function untilWaiting(served: ServedStore, count: number): Promise<void> {
  while (served.waiting < count) await new Promise((resolve) => setImmediate(resolve));
}

Deno.test("500 hosts wait for a change, and each of them gets it", async () => {
  await using served = await ServedStore.start();
  await served.local().writeConfig(config, 0);
  const hosts = await watchers(served, 500);
  try {
    const seen = hosts.sees("node-1");
    await untilWaiting(served, 500);
    await served.local().create(lease(1));
    assert.equal((await seen).length, 500);
  } finally {
    await hosts.close();
  }
});

Deno.test("hosts that wait find the server again after a restart, and nothing is lost", async () => {
  await using served = await ServedStore.start();
  await served.local().writeConfig(config, 0);
  const hosts = await watchers(served, 20);
  try {
    const seen = hosts.sees("node-2");
    await untilWaiting(served, 20);
    await served.store().create(lease(1));
    await served.restart();
    await served.store().create(lease(2));
    for (const { records } of await seen) {
      assert.deepEqual(records.map(({ node }) => node), ["node-1", "node-2"]);
    }
  } finally {
    await hosts.close();
  }
});

Deno.test("50 hosts that start at once, beside a local process that writes, get 50 subnets", async () => {
  await using served = await ServedStore.start();
  await served.local().writeConfig({ Network: "10.5.0.0/18", Backend: { Type: "vxlan" } }, 0);
  const join = (i: number) => {
    const claim = {
      node: `node-${i}`,
      publicIp: `192.168.0.${i + 1}`,
      backendType: "vxlan",
      backendData: { VNI: 1 },
      ttl: 3600,
    };
    return acquire(i % 10 === 0 ? served.local() : served.store(), claim, {
      clock: systemClock,
      log: silent,
    });
  };
  const leases = await Promise.all(Array.from({ length: 50 }, (_, i) => join(i)));
  assert.equal(new Set(leases.map(({ subnet }) => subnet)).size, 50);
  assert.equal((await served.local().read()).records.length, 50);
});
