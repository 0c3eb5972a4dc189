import assert from "node:assert/strict";
import { acquire, type Claim, ensureNetwork, prolong, renew } from "../../lease/manager.ts";
import { MemoryStore, SharedDocument } from "../../lease/document/memory_store.ts";
import type { LeaseRecord, NewRecord } from "../../lease/store.ts";
import { FlanError } from "../../net/errors.ts";
import { silent } from "../../net/log.ts";
import { fails } from "../conformance/store_suite.ts";
import { FakeClock, letTimePass } from "../lib/fake_clock.ts";

const network = { Network: "10.5.0.0/16", Backend: { Type: "vxlan" } };

async function setup(config: Parameters<typeof ensureNetwork>[1] = network) {
  const clock = new FakeClock();
  const shared = new SharedDocument();
  const store = new MemoryStore({ clock, shared });
  await ensureNetwork(store, config);
  return { clock, shared, store, tools: { clock, log: silent } };
}

function claim(i: number, more: Partial<Claim> = {}): Claim {
  const publicIp = `192.168.${i >> 8}.${i & 255}`;
  return { node: `node-${i}`, publicIp, backendType: "vxlan", backendData: { VNI: 1 }, ttl: 3600, ...more };
}

/** A store that fails in chosen calls. */
class FaultyStore extends MemoryStore {
  /** Called after a write has taken effect, when its reply is on the way. */
  afterCreate: (record: LeaseRecord) => void = () => {};
  attempts = 0;
  beforeUpdate: () => Promise<void> = () => Promise.resolve();

  override async create(lease: NewRecord): Promise<LeaseRecord> {
    this.attempts++;
    const record = await super.create(lease);
    this.afterCreate(record);
    return record;
  }

  override async update(lease: NewRecord, expected: number): Promise<LeaseRecord> {
    await this.beforeUpdate();
    return await super.update(lease, expected);
  }
}

Deno.test("of two hosts that start a network at once one starts it and both have it", async () => {
  const shared = new SharedDocument();
  const clock = new FakeClock();
  const results = await Promise.all(
    ["10.5.0.0/16", "10.6.0.0/16"].map((Network) =>
      ensureNetwork(new MemoryStore({ clock, shared }), { Network })
    ),
  );
  assert.deepEqual(results.map(({ started }) => started).sort(), [false, true]);
  assert.deepEqual(results[0]!.config, results[1]!.config);
});

Deno.test("a network that exists is left as it is, and one that cannot be used is not started", async () => {
  const { store } = await setup();
  const { config, started } = await ensureNetwork(store, { Network: "nonsense" });
  assert.deepEqual([config.value, started], [network, false]);
  const empty = new MemoryStore({ clock: new FakeClock() });
  await fails(ensureNetwork(empty, { Network: "nonsense" }), "invalid");
  assert.equal((await empty.read()).revision, 0);
});

Deno.test("a lease says what the claim says", async () => {
  const { store, clock, tools } = await setup();
  const lease = await acquire(store, claim(1), tools);
  assert.deepEqual(lease, {
    subnet: "10.5.1.0/24",
    publicIp: "192.168.0.1",
    backendType: "vxlan",
    backendData: { VNI: 1 },
    node: "node-1",
    expires: clock.now() + 3600_000,
    revision: 2,
  });
});

Deno.test("without a network there is no lease", async () => {
  const clock = new FakeClock();
  const store = new MemoryStore({ clock });
  const error = await fails(acquire(store, claim(1), { clock, log: silent }), "store");
  assert.match(error.message, /no network was started there$/);
});

Deno.test("a claim that every peer would refuse is not written", async () => {
  const { store, tools } = await setup();
  const bad = [{ backendData: "\u001b[2J" }, { publicIp: "?" }, { node: "x".repeat(200) }];
  for (const more of bad) await fails(acquire(store, claim(1, more), tools), "invalid");
  assert.deepEqual((await store.read()).records, []);
});

Deno.test("acquiring again refreshes the lease and keeps the subnet", async () => {
  const { store, clock, tools } = await setup();
  const first = await acquire(store, claim(1), tools);
  await clock.advance(1000_000);
  const moved = claim(1, { publicIp: "192.168.9.9", backendData: { VNI: 2 } });
  const second = await acquire(store, moved, tools);
  assert.equal(second.subnet, first.subnet);
  assert.equal(second.publicIp, "192.168.9.9");
  assert.deepEqual(second.backendData, { VNI: 2 });
  assert.equal(second.expires, first.expires! + 1000_000);
  assert.equal((await store.read()).records.length, 1);
});

Deno.test("a reply that is lost after the commit leaks no second subnet", async () => {
  const { shared, clock, tools } = await setup();
  const store = new FaultyStore({ clock, shared });
  store.afterCreate = () => {
    throw new FlanError("Cannot reach the store: Connection reset", { op: "store.create", code: "store" });
  };
  await fails(acquire(store, claim(1), tools), "store");
  const lease = await acquire(store, claim(1), tools);
  assert.equal(lease.subnet, "10.5.1.0/24");
  assert.equal((await store.read()).records.length, 1);
});

Deno.test("fifty hosts that start at once get fifty subnets", async () => {
  const { shared, clock, tools } = await setup({
    Network: "10.5.0.0/24",
    SubnetLen: 30,
    SubnetMin: "10.5.0.0",
  });
  const stores = Array.from({ length: 50 }, () => new FaultyStore({ clock, shared }));
  const running = Promise.all(stores.map((store, i) => acquire(store, claim(i + 1), tools)));
  const leases = await letTimePass(clock, running);
  assert.equal(new Set(leases.map(({ subnet }) => subnet)).size, 50);
  const attempts = stores.reduce((sum, store) => sum + store.attempts, 0);
  assert.ok(attempts < 150, `${attempts} attempts`);
});

Deno.test("a host that lost a round chooses at random, so that it does not meet the same rival again", async () => {
  const second = new Set<string>();
  for (let seed = 1; seed <= 5; seed++) {
    const clock = new FakeClock({ seed });
    const store = new FaultyStore({ clock });
    await ensureNetwork(store, network);
    const both = Promise.all([1, 2].map((i) => acquire(store, claim(i), { clock, log: silent })));
    const [winner, loser] = await letTimePass(clock, both);
    assert.equal(winner?.subnet, "10.5.1.0/24");
    second.add(loser!.subnet);
  }
  assert.ok(second.size > 1, [...second].join());
});

Deno.test("two hosts race for the last subnet: one wins, the other is out of subnets", async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const { shared, clock, store, tools } = await setup({ Network: "10.5.0.0/28" });
    await acquire(store, claim(1), tools);
    await acquire(store, claim(2), tools);
    const racers = Promise.allSettled(
      [3, 4].map((i) => acquire(new MemoryStore({ clock, shared }), claim(i), tools)),
    );
    const results = await letTimePass(clock, racers);
    const lost = results.filter((result) => result.status === "rejected");
    assert.deepEqual(lost.map(({ reason }) => reason.code), ["out-of-subnets"]);
  }
});

Deno.test("a reservation stays a reservation when it is claimed and renewed", async () => {
  const { store, clock, tools } = await setup();
  const value = { PublicIP: "192.168.0.1" };
  await store.create({ key: "10.5.77.0-24", value, node: undefined, ttl: undefined });
  let lease = await acquire(store, claim(1), tools);
  assert.deepEqual([lease.subnet, lease.expires, lease.node], ["10.5.77.0/24", undefined, "node-1"]);
  lease = await acquire(store, claim(1), tools);
  lease = await renew(store, lease, claim(1));
  assert.equal(lease.expires, undefined);
  await clock.advance(365 * 86_400_000);
  assert.equal((await store.read()).records.length, 1);
});

Deno.test("surplus leases of this host are given back", async () => {
  const { store, tools } = await setup();
  const value = { PublicIP: "192.168.0.1" };
  for (const key of ["10.5.9.0-24", "10.5.3.0-24", "10.9.0.0-24"]) {
    await store.create({ key, value, node: "node-1", ttl: 60 });
  }
  assert.equal((await acquire(store, claim(1), tools)).subnet, "10.5.3.0/24");
  assert.deepEqual((await store.read()).records.map(({ key }) => key), ["10.5.3.0-24"]);
});

Deno.test("a renewal prolongs the lease and changes only what the claim changed", async () => {
  const { store, clock, tools } = await setup();
  const lease = await acquire(store, claim(1), tools);
  await clock.advance(60_000);
  const renewed = await renew(store, lease, claim(1));
  assert.deepEqual(renewed, { ...lease, expires: lease.expires! + 60_000, revision: 3 });
  const changed = await renew(store, renewed, claim(1, { backendData: { VNI: 9 } }));
  assert.deepEqual(changed, { ...renewed, backendData: { VNI: 9 }, revision: 4 });
});

Deno.test("a lease that is prolonged says all that it said, of IPv6 and of other planes, too", async () => {
  const { clock, store, tools } = await setup({ ...network, EnableIPv6: true, IPv6Network: "fd00:5::/48" });
  const otherPlanes = [{ backendType: "host-gw", backendData: undefined, sends: true }];
  const said = { publicIp6: "2001:db8::1", backendV6Data: { VNI: 6 }, otherPlanes };
  const lease = await acquire(store, claim(1, said), tools);
  await clock.advance(60_000);
  const prolonged = await prolong(store, lease, { node: "node-1", ttl: 3600 });
  assert.deepEqual(prolonged, {
    ...lease,
    expires: lease.expires! + 60_000,
    revision: prolonged.revision,
  });
});

Deno.test("a renewal whose reply was lost is not the end of the lease", async () => {
  const { store, tools } = await setup();
  const lease = await acquire(store, claim(1), tools);
  await renew(store, lease, claim(1));
  assert.equal((await renew(store, lease, claim(1))).subnet, lease.subnet);
});

Deno.test("a lease that expired or was taken is lost, and renewing it overwrites nobody", async () => {
  const { store, clock, tools } = await setup();
  const lease = await acquire(store, claim(1), tools);
  await clock.advance(3600_000);
  assert.match((await fails(renew(store, lease, claim(1)), "conflict")).message, /it is gone$/);
  const taken = await acquire(store, claim(2, { wish: lease.subnet }), tools);
  const error = await fails(renew(store, lease, claim(1)), "conflict");
  assert.equal(error.message, "Cannot renew 10.5.1.0/24: it is held by node-2 now");
  assert.equal((await store.read()).records[0]?.revision, taken.revision);
});

Deno.test("a host that can never write gives up after bounded rounds", async () => {
  const { shared, clock, tools } = await setup();
  const store = new FaultyStore({ clock, shared });
  const lease = await acquire(store, claim(1), tools);
  let rounds = 0;
  store.beforeUpdate = async () => {
    rounds++;
    const { records } = await store.read();
    const { key, value, node } = records[0]!;
    await new MemoryStore({ clock, shared }).update({ key, value, node, ttl: 60 }, records[0]!.revision);
  };
  const failing = fails(acquire(store, claim(1), tools), "conflict");
  await letTimePass(clock, failing);
  assert.equal(rounds, 60);
  assert.equal(lease.subnet, "10.5.1.0/24");
});
