import assert from "node:assert/strict";
import { decodeRecord, isRefusal } from "../../lease/decode.ts";
import { MemoryStore, SharedDocument } from "../../lease/document/memory_store.ts";
import { acquire, type Claim, ensureNetwork, renew } from "../../lease/manager.ts";
import { release } from "../../lease/release.ts";
import { reserve, unreserve } from "../../lease/reserve.ts";
import { silent } from "../../net/log.ts";
import { FakeClock, letTimePass } from "../lib/fake_clock.ts";

const network = { Network: "10.5.0.0/16", Backend: { Type: "vxlan" } };
const subnet = "10.5.9.0/24";
const self = undefined;

/** A store in which something may happen before a lease is removed. */
class SlowStore extends MemoryStore {
  #before: (() => Promise<unknown>) | undefined;

  once(act: () => Promise<unknown>): void {
    this.#before = act;
  }

  override async remove(key: string, expected: number): Promise<void> {
    const act = this.#before;
    this.#before = undefined;
    await act?.();
    await super.remove(key, expected);
  }
}

async function setup() {
  const clock = new FakeClock();
  const shared = new SharedDocument();
  const store = new SlowStore({ clock, shared });
  await ensureNetwork(store, network);
  const take = (i: number, more: Partial<Claim> = {}) =>
    acquire(store, claim(i, more), { clock, log: silent });
  const record = async () => (await store.read()).records.find(({ key }) => key === "10.5.9.0-24");
  return { clock, shared, store, take, record };
}

function claim(i: number, more: Partial<Claim> = {}): Claim {
  const publicIp = `192.168.0.${i}`;
  return { node: `node-${i}`, publicIp, backendType: "vxlan", backendData: { VNI: 1 }, ttl: 3600, ...more };
}

const subnets = (released: readonly { subnet: string }[]) => released.map((one) => one.subnet);

Deno.test("a subnet is released by its name, and a node's leases by the node", async () => {
  const { clock, store, take } = await setup();
  for (const i of [1, 2, 3]) await take(i);
  assert.deepEqual(subnets(await release(store, { subnet: "10.5.2.0/24" }, { clock })), ["10.5.2.0/24"]);
  assert.deepEqual(subnets(await release(store, { node: "node-3" }, { clock })), ["10.5.3.0/24"]);
  assert.deepEqual(await release(store, { node: "node-3" }, { clock }), []);
  assert.deepEqual((await store.read()).records.map(({ node }) => node), ["node-1"]);
});

Deno.test("a claimed reservation waits again for whom it was made, and one that waits is left", async () => {
  const { clock, store, take, record } = await setup();
  for (const whom of [{ node: "node-1" }, { publicIp: "192.168.0.1" }]) {
    for (const which of [{ node: "node-1" }, { subnet }]) {
      await reserve(store, { subnet, self, clock, ...whom });
      const before = (await record())!;
      await take(1);
      const [released] = await release(store, which, { clock });
      assert.equal(released?.reservation?.subnet, subnet);
      const { value, node, expires } = (await record())!;
      assert.deepEqual([value, node, expires], [before.value, before.node, undefined]);
      assert.deepEqual(await release(store, which, { clock }), [], "it waits already");
      assert.equal((await take(1)).subnet, subnet);
      await release(store, which, { clock });
      await unreserve(store, { subnet, ttl: 60, clock });
    }
  }
});

Deno.test("a reservation for an address is for it after any number of hosts, renewals and moves", async () => {
  const { clock, store, take, record } = await setup();
  await reserve(store, { subnet, self, clock, publicIp: "192.168.0.1" });
  const waits = await record();
  for (const node of ["node-1", "re-imaged"]) {
    let lease = await take(1, { node });
    lease = await renew(store, lease, claim(1, { node, backendData: { VNI: 2 } }));
    lease = await renew(store, lease, claim(1, { node, publicIp: "192.168.0.77" }));
    await take(1, { node, publicIp: "192.168.0.77" });
    await release(store, { node }, { clock });
    const { value, node: holder } = (await record())!;
    assert.deepEqual([value, holder], [waits!.value, undefined]);
  }
});

Deno.test("a host that joins at an address claims what is reserved for it, from whoever was there before", async () => {
  const { clock, store, take, record } = await setup();
  await reserve(store, { subnet, self, clock, publicIp: "192.168.0.1" });
  assert.equal((await take(1)).subnet, subnet);
  assert.equal((await take(1, { node: "re-imaged" })).subnet, subnet);
  assert.equal((await record())!.node, "re-imaged");
  // One that runs already is in another subnet, and does not take it back.
  await assert.rejects(
    take(1, { current: "10.5.1.0/24" }),
    /is held with this address by node re-imaged/,
  );
  await release(store, { subnet }, { clock });
  await unreserve(store, { subnet, ttl: 60, clock });
  await reserve(store, { subnet, self, clock, node: "node-1" });
  await take(1);
  await assert.rejects(take(1, { node: "re-imaged" }), /is held with this address by node node-1/);
});

Deno.test("a running lease that is kept for its address stays so, and is a plain lease once it is unreserved", async () => {
  const { clock, store, take, record } = await setup();
  await take(1, { wish: subnet });
  await reserve(store, { subnet, self, clock, publicIp: "192.168.0.1" });
  const before = (await record())!;
  assert.equal(before.reservedIp, "192.168.0.1");
  assert.deepEqual(Object.keys(before.value as object), [
    "PublicIP",
    "PublicIPv6",
    "BackendType",
    "BackendData",
  ]);
  await unreserve(store, { subnet, ttl: 60, clock });
  assert.equal((await record())!.reservedIp, undefined);
});

Deno.test("a release that loses to a renewal is tried again, and one that loses to another host is not", async () => {
  const { clock, shared, store, take } = await setup();
  const other = new MemoryStore({ clock, shared });
  const lease = await take(1);
  store.once(() => renew(other, lease, claim(1)));
  const renewed = release(store, { subnet: lease.subnet }, { clock });
  assert.deepEqual(subnets(await letTimePass(clock, renewed)), [lease.subnet]);
  const again = await take(1, { wish: lease.subnet });
  store.once(async () => {
    await release(other, { subnet: again.subnet }, { clock });
    await take(2, { wish: again.subnet });
  });
  const lost = release(store, { subnet: again.subnet }, { clock });
  assert.deepEqual(await letTimePass(clock, lost), []);
  assert.equal((await store.read()).records[0]?.node, "node-2");
});

Deno.test("a writer that loses sixty rounds has paused between them", async () => {
  const { clock, shared, store, take } = await setup();
  const lease = await take(1);
  const other = new MemoryStore({ clock, shared });
  let rounds = 0;
  const busy = async () => {
    rounds++;
    const { records: [now] } = await other.read();
    await other.update({ ...now!, ttl: 3600 }, now!.revision);
    store.once(busy);
  };
  store.once(busy);
  const before = clock.monotonic();
  const failing = release(store, { subnet: lease.subnet }, { clock });
  await assert.rejects(letTimePass(clock, failing), /^FlanError: Cannot remove/);
  assert.equal(rounds, 60);
  assert.ok(clock.monotonic() - before > 5000);
});

Deno.test("an address that is none, or one in a lease that ends, reserves nothing and hides no lease", async () => {
  const { clock, store, record } = await setup();
  const said = { PublicIP: "192.168.0.1", PublicIPv6: null, BackendType: "vxlan" };
  const odd = [
    { reservedIp: "\u001b[2J", ttl: undefined },
    { reservedIp: "7", ttl: undefined },
    { reservedIp: "192.168.0.9", ttl: 60 },
  ];
  for (const { reservedIp, ttl } of odd) {
    await store.create({ key: "10.5.9.0-24", value: said, node: "node-1", reservedIp, ttl });
    const lease = decodeRecord((await record())!);
    assert.ok(!isRefusal(lease) && lease.reservedIp === undefined && lease.publicIp === "192.168.0.1");
    await release(store, { subnet }, { clock });
    await unreserve(store, { subnet, ttl: 60, clock });
  }
});
