/** The etcd store's watch: through outages, compaction and restored backups, and cheaply. */
import assert from "node:assert/strict";
import type { Snapshot } from "../../../lease/store.ts";
import type { FlanError } from "../../../net/errors.ts";
import { config, lease, told } from "../../conformance/store_case.ts";
import { fakeNetwork } from "../../lib/fake_network.ts";

type Network = ReturnType<typeof fakeNetwork>;

/** A watch whose snapshots and troubles are noted while the test lets time pass. */
async function watching(network: Network, run: (watch: Watch) => Promise<void>, leases = 2): Promise<void> {
  const gateway = network.etcd.gateway();
  const store = network.openOn(gateway);
  await store.writeConfig(config, 0);
  for (let i = 1; i <= leases; i++) await store.create(lease(i, { ttl: 10_000_000 }));
  const { revision } = await store.read();
  const over = new AbortController();
  const snapshots: Snapshot[] = [];
  const troubles: string[] = [];
  const troubled = (error: FlanError | undefined) => {
    const code = error?.code ?? "well";
    // Causes of one trouble may follow one another.
    if (code !== troubles.at(-1)) troubles.push(code);
  };
  const following = (async () => {
    for await (const snapshot of store.watch(revision, over.signal, { troubled })) snapshots.push(snapshot);
  })();
  gateway.calls.clear();
  await network.clock.turn();
  try {
    await run({ gateway, store, snapshots, troubles, other: network.open() });
  } finally {
    over.abort();
    await following;
  }
}

interface Watch {
  readonly gateway: ReturnType<Network["etcd"]["gateway"]>;
  readonly store: ReturnType<Network["open"]>;
  readonly snapshots: Snapshot[];
  readonly troubles: string[];
  /** Another host, whose way to etcd is well. */
  readonly other: ReturnType<Network["open"]>;
}

function nodes(snapshot: Snapshot | undefined) {
  return snapshot?.records.map(({ node }) => node);
}

async function assertLatest({ clock }: Network, { snapshots, other }: Watch): Promise<void> {
  await clock.turn();
  await clock.turn();
  const { records, past } = await other.read();
  assert.deepEqual(told(snapshots.at(-1)!.records), told(records));
  assert.deepEqual(snapshots.at(-1)!.past, past);
}

Deno.test("a watch lives for 15 to 20 seconds, and its successor goes on without a list", async () => {
  const network = fakeNetwork();
  await watching(network, async (watch) => {
    await network.clock.advance(600_000);
    const watches = watch.gateway.calls.get("watch")!;
    assert.ok(watches >= 30 && watches <= 41, `${watches} watches in 600 s`);
    assert.equal(watch.gateway.calls.get("kv/range"), undefined);
    assert.deepEqual([watch.snapshots, watch.troubles], [[], []]);
    await watch.other.create(lease(3));
    await assertLatest(network, watch);
  });
});

Deno.test("an outage is told once and its end once, the attempts grow rare, and what was missed is listed", async () => {
  const network = fakeNetwork();
  await watching(network, async (watch) => {
    watch.gateway.reach = "away";
    await network.clock.advance(600_000);
    const { other } = watch;
    await other.create(lease(3));
    const [first] = (await other.read()).records;
    await other.remove(first!.key, first!.revision);
    assert.deepEqual(watch.troubles, ["store"]);
    const { calls } = watch.gateway;
    const attempts = (calls.get("watch") ?? 0) + (calls.get("kv/range") ?? 0);
    assert.ok(attempts >= 20 && attempts <= 60, `${attempts} attempts in 600 s`);
    assert.deepEqual(watch.snapshots, []);
    watch.gateway.reach = "well";
    await network.clock.advance(30_000);
    assert.deepEqual(watch.troubles, ["store", "well"]);
    assert.deepEqual(nodes(watch.snapshots.at(-1)), ["node-2", "node-3"]);
    await assertLatest(network, watch);
  });
});

Deno.test("a black hole is noticed within 30 seconds", async () => {
  const network = fakeNetwork();
  await watching(network, async ({ gateway, troubles }) => {
    await network.clock.advance(7000);
    gateway.reach = "black-hole";
    await network.clock.advance(30_000);
    assert.deepEqual(troubles, ["store"]);
    gateway.reach = "well";
    await network.clock.advance(30_000);
    assert.deepEqual(troubles, ["store", "well"]);
  });
});

Deno.test("streams that end or break as soon as they begin make neither a hot loop nor a flood of troubles", async () => {
  for (const how of ["endStreams", "breakStreams"] as const) {
    const network = fakeNetwork();
    await watching(network, async (watch) => {
      const { gateway, troubles } = watch;
      for (let i = 0; i < 6000; i++) {
        gateway[how]();
        await network.clock.advance(100);
      }
      const attempts = gateway.calls.get("watch")!;
      assert.ok(attempts >= 15 && attempts <= 70, `${how}: ${attempts} attempts in 600 s`);
      assert.ok(troubles.length <= 6, `${how}: ${troubles}`);
      await watch.other.create(lease(3));
      await network.clock.advance(60_000);
      assert.equal(troubles.at(-1) ?? "well", "well");
      await assertLatest(network, watch);
    });
  }
});

Deno.test("a compaction while a watcher is away is met with a list, by value, which brings removals too", async () => {
  const network = fakeNetwork();
  await watching(network, async (watch) => {
    watch.gateway.reach = "away";
    const [first] = (await watch.other.read()).records;
    await watch.other.remove(first!.key, first!.revision);
    await watch.other.create(lease(3));
    network.etcd.compact();
    watch.gateway.reach = "well";
    await network.clock.advance(5000);
    assert.equal(watch.gateway.calls.get("kv/range"), 1);
    assert.deepEqual(nodes(watch.snapshots.at(-1)), ["node-2", "node-3"]);
    await assertLatest(network, watch);
  });
});

Deno.test("a compaction of what nobody here has written makes no snapshot", async () => {
  const network = fakeNetwork();
  await watching(network, async (watch) => {
    watch.gateway.reach = "away";
    for (const _ of [1, 2, 3]) {
      const put = { key: btoa("/elsewhere"), value: btoa("1") };
      await network.etcd.gateway().call("kv/txn", { success: [{ request_put: put }] });
    }
    network.etcd.compact();
    watch.gateway.reach = "well";
    await network.clock.advance(5000);
    assert.equal(watch.gateway.calls.get("kv/range"), 1);
    assert.deepEqual(watch.snapshots, []);
  });
});

for (
  const { name, writes, elections = 0, clusterId, within = 15_000 } of [
    { name: "of a smaller revision", writes: 0 },
    { name: "of the same revision, after an election", writes: 3, elections: 1 },
    { name: "of a larger revision, after an election", writes: 9, elections: 1 },
    { name: "of the same revision, in a new cluster", writes: 3, clusterId: "7" },
    { name: "that is told by nothing but its values", writes: 3, within: 71 * 60_000 },
  ]
) {
  Deno.test(`a restored backup ${name} is noticed, and compared by value`, async () => {
    const network = fakeNetwork();
    await watching(network, async (watch) => {
      const { etcd, clock } = network;
      const { other } = watch;
      for (let i = 0; i < elections; i++) etcd.restart();
      await clock.turn();
      await clock.advance(5000);
      const backup = etcd.snapshot();
      let made = await other.create(lease(3, { node: "forgotten" }));
      for (let i = 0; i < 2; i++) made = await other.update(lease(3, { node: "forgotten" }), made.revision);
      await assertLatest(network, watch);
      const before = watch.snapshots.at(-1)!.revision;
      etcd.restore(backup, clusterId === undefined ? {} : { clusterId });
      const again = lease(3, { node: "remembered", ttl: 10_000_000 });
      let record = writes > 0 ? await other.create(again) : undefined;
      for (let i = 1; i < writes; i++) record = await other.update(again, record!.revision);
      await clock.turn();
      await clock.advance(within);
      const last = watch.snapshots.at(-1)!;
      assert.equal(last.revision, before - 3 + writes);
      assert.deepEqual(nodes(last)!.slice(2), writes > 0 ? ["remembered"] : []);
      await assertLatest(network, watch);
    });
  });
}

Deno.test("duplicated and late events leave the latest state, and never an older one after it", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const network = fakeNetwork(seed);
    await watching(network, async (watch) => {
      Object.assign(watch.gateway, { duplicates: true, reorders: true });
      await network.clock.advance(20_000);
      const { other, snapshots } = watch;
      for (let i = 0; i < 20; i++) {
        const key = `10.5.${1 + network.clock.random(4)}.0-24`;
        const there = (await other.read()).records.find((record) => record.key === key);
        if (there === undefined) await other.create({ ...lease(1), key, node: `n-${i}` });
        else if (i % 3 === 0) await other.remove(key, there.revision);
        else await other.update({ ...lease(1), key, node: `n-${i}` }, there.revision);
        if (i % 5 === 0) await network.clock.advance(100);
      }
      await network.clock.advance(45_000);
      await assertLatest(network, watch);
      const revisions = snapshots.map(({ revision }) => revision);
      assert.deepEqual(revisions, revisions.toSorted((a, b) => a - b));
    });
  }
});

Deno.test("an event that comes again after the removal of its key does not bring it back", async () => {
  const network = fakeNetwork();
  await watching(network, async (watch) => {
    const { gateway, other, snapshots } = watch;
    const open = gateway.watch.bind(gateway);
    gateway.watch = async function* (...options) {
      const seen = [];
      for await (const message of open(...options)) {
        seen.push(message);
        yield* [message, ...seen.slice(1, -1)];
      }
    };
    await network.clock.advance(20_000);
    const made = await other.create(lease(3));
    await other.remove(made.key, made.revision);
    await assertLatest(network, watch);
    assert.deepEqual(nodes(snapshots.at(-1)), ["node-1", "node-2"]);
  });
});

Deno.test("events that arrive together make one snapshot, and what has not changed stays the same object", async () => {
  const network = fakeNetwork();
  await watching(network, async (watch) => {
    const { store, other, snapshots } = watch;
    const before = (await store.read()).records;
    watch.gateway.reach = "black-hole";
    for (let i = 100; i < 120; i++) await other.create(lease(i));
    watch.gateway.reach = "well";
    await network.clock.turn();
    await network.clock.turn();
    assert.equal(snapshots.length, 1);
    assert.equal(snapshots[0]!.records.length, 70);
    const kept = new Set(snapshots[0]!.records);
    assert.ok(before.every((record) => kept.has(record)));
    network.etcd.compact();
    watch.gateway.breakStreams();
    await other.create(lease(130));
    await other.create(lease(131));
    network.etcd.compact();
    await network.clock.advance(5000);
    assert.equal(watch.gateway.calls.get("kv/range"), 2);
    assert.equal(snapshots.length, 2);
    assert.ok(snapshots[0]!.records.every((record) => snapshots[1]!.records.includes(record)));
  }, 50);
});

Deno.test("a watch begins with a list where the store has not read what the caller knows", async () => {
  const network = fakeNetwork();
  const writer = network.open();
  await writer.create(lease(1));
  const { revision } = await writer.read();
  const gateway = network.etcd.gateway();
  const over = new AbortController();
  const watch = network.openOn(gateway).watch(revision, over.signal)[Symbol.asyncIterator]();
  const next = watch.next();
  await network.clock.turn();
  await writer.create(lease(2));
  assert.deepEqual(nodes((await next).value), ["node-1", "node-2"]);
  assert.equal(gateway.calls.get("kv/range"), 1);
  over.abort();
  await watch.return?.();
});

Deno.test("a backup that has gone on to the revision and term that are known is found by the broken connection", async () => {
  const network = fakeNetwork();
  await watching(network, async (watch) => {
    const { etcd, clock } = network;
    const backup = etcd.snapshot();
    await watch.other.create(lease(3));
    await clock.advance(1000);
    watch.gateway.reach = "away";
    await clock.advance(1000);
    etcd.restore(backup);
    await watch.other.create(lease(4));
    for (let i = 0; i < 5; i++) etcd.restart();
    watch.gateway.reach = "well";
    await clock.advance(60_000);
    assert.deepEqual(nodes(watch.snapshots.at(-1)), ["node-1", "node-2", "node-4"]);
  });
});

Deno.test("a stream that the server ends before its time is followed by a listing", async () => {
  const network = fakeNetwork();
  await watching(network, async (watch) => {
    await network.clock.advance(5000);
    watch.gateway.endStreams();
    await network.clock.advance(5000);
    assert.equal(watch.gateway.calls.get("kv/range"), 1);
    assert.deepEqual(watch.snapshots, []);
  });
});

Deno.test("a watch whose listing has no answer ends as soon as its signal aborts", async () => {
  const network = fakeNetwork();
  const gateway = network.etcd.gateway();
  gateway.reach = "black-hole";
  const over = new AbortController();
  const next = network.openOn(gateway).watch(0, over.signal)[Symbol.asyncIterator]().next();
  await network.clock.turn();
  assert.equal(gateway.calls.get("kv/range"), 1);
  over.abort();
  // No time passes on this clock.
  assert.equal((await next).done, true);
});
