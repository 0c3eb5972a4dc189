import assert from "node:assert/strict";
import { MemoryStore, SharedDocument } from "../../lease/document/memory_store.ts";
import { acquire, type Claim, ensureNetwork } from "../../lease/manager.ts";
import { parseNetworkConfig } from "../../lease/network.ts";
import { release } from "../../lease/release.ts";
import { reserve, unreserve } from "../../lease/reserve.ts";
import type { LeaseRecord, NewRecord } from "../../lease/store.ts";
import { makeView, unclaimedIn } from "../../lease/view.ts";
import { silent } from "../../net/log.ts";
import { fails } from "../conformance/store_suite.ts";
import { FakeClock, letTimePass } from "../lib/fake_clock.ts";

const value = { Network: "10.5.0.0/16", Backend: { Type: "vxlan" } };
const network = parseNetworkConfig(value);
const subnet = "10.5.9.0/24";
const nobody = { PublicIP: "0.0.0.0", PublicIPv6: null };

async function setup() {
  const clock = new FakeClock();
  const shared = new SharedDocument();
  const store = new MemoryStore({ clock, shared });
  await ensureNetwork(store, value);
  const tools = { clock, log: silent };
  const record = async (key = "10.5.9.0-24") => (await store.read()).records.find((one) => one.key === key);
  const take = (i: number, more: Partial<Claim> = {}) => acquire(store, claim(i, more), tools);
  return { clock, shared, store, record, take };
}

function claim(i: number, more: Partial<Claim> = {}): Claim {
  return {
    node: `node-${i}`,
    publicIp: `192.168.0.${i}`,
    backendType: "vxlan",
    backendData: undefined,
    ttl: 60,
    ...more,
  };
}

const said = (record: LeaseRecord | undefined) => record && [record.value, record.node, record.expires];

const otherPlanes = [{ backendType: "udp", backendData: undefined, sends: true }];
const self = undefined;

Deno.test("a reservation has no end, is written in flannel's form, and twice the same is done", async () => {
  const { clock, store, record } = await setup();
  assert.equal((await reserve(store, { subnet, self, clock })).how, "reserved");
  assert.deepEqual(said(await record()), [nobody, undefined, undefined]);
  const { revision } = await store.read();
  await clock.advance(1e9);
  assert.equal((await reserve(store, { subnet, self, clock })).how, "same");
  assert.equal((await store.read()).revision, revision);
  await reserve(store, { subnet: "10.5.10.0/24", node: "node-1", self, clock });
  assert.deepEqual(said(await record("10.5.10.0-24")), [nobody, "node-1", undefined]);
  await reserve(store, { subnet: "10.5.11.0/24", publicIp: "192.168.0.2", self, clock });
  assert.deepEqual(said(await record("10.5.11.0-24")), [
    { ...nobody, PublicIP: "192.168.0.2" },
    undefined,
    undefined,
  ]);
});

Deno.test("an unclaimed reservation is no peer and no refused lease, and a claimed one is a peer", async () => {
  const { clock, store, take } = await setup();
  await reserve(store, { subnet, self, clock });
  await reserve(store, { subnet: "10.5.10.0/24", node: "node-1", self, clock });
  await reserve(store, { subnet: "10.5.11.0/24", publicIp: "192.168.0.2", self, clock });
  const look = async () => {
    const snapshot = await store.read();
    const { peers, refused } = makeView(snapshot, { node: "node-9", network });
    return [peers.map((one) => one.subnet), refused, unclaimedIn(snapshot, network).length];
  };
  assert.deepEqual(await look(), [[], [], 3]);
  await take(1);
  await take(2);
  assert.deepEqual(await look(), [["10.5.10.0/24", "10.5.11.0/24"], [], 1]);
  const own = (node: string) =>
    store.read().then((snapshot) => makeView(snapshot, { node, network }).own?.subnet);
  assert.deepEqual([await own("node-1"), await own("node-2")], ["10.5.10.0/24", "10.5.11.0/24"]);
});

Deno.test("a node that has a reservation and no lease has no lease of its own in its view", async () => {
  const { clock, store } = await setup();
  await reserve(store, { subnet, node: "node-1", self, clock });
  assert.equal(makeView(await store.read(), { node: "node-1", network }).own, undefined);
});

Deno.test("the claim of a reservation keeps it one, and nobody else is given it", async () => {
  const { clock, store, record, take } = await setup();
  await reserve(store, { subnet: "10.5.1.0/24", node: "node-2", self, clock });
  assert.equal((await take(1)).subnet, "10.5.2.0/24");
  assert.equal((await take(2)).subnet, "10.5.1.0/24");
  await clock.advance(1e9);
  const { node, expires } = (await record("10.5.1.0-24"))!;
  assert.deepEqual([node, expires], ["node-2", undefined]);
});

Deno.test("a running lease of whoever is meant becomes a reservation, with its value and node", async () => {
  const { clock, store, record, take } = await setup();
  for (const whom of [{ self: "node-1" }, { self, node: "node-1" }, { self, publicIp: "192.168.0.1" }]) {
    await take(1, { wish: subnet, otherPlanes });
    const before = (await record())!;
    assert.equal((await reserve(store, { subnet, ...whom, clock })).how, "kept");
    assert.deepEqual(said(await record()), [before.value, "node-1", undefined]);
    assert.deepEqual((await record())!.otherPlanes, before.otherPlanes);
    assert.equal((await record())!.reservedIp, "publicIp" in whom ? whom.publicIp : undefined);
    assert.equal((await reserve(store, { subnet, ...whom, clock })).how, "same");
    await unreserve(store, { subnet, ttl: 1, clock });
    assert.deepEqual(
      (await record())!.otherPlanes,
      before.otherPlanes,
      "the other planes of a host that moves",
    );
    await release(store, { subnet }, { clock });
  }
});

Deno.test("what another holds, in whole or in part, is not reserved, and the error names the holder", async () => {
  const { clock, store, take, record } = await setup();
  await take(1, { wish: subnet });
  const before = await record();
  const wishes = [{ self }, { self: "node-2" }, { self: "node-1", node: "node-2" }, {
    self,
    publicIp: "192.168.0.2",
  }];
  for (const whom of wishes) {
    const error = await fails(reserve(store, { subnet, ...whom, clock }), "failed");
    assert.match(
      error.message,
      /^Cannot reserve 10\.5\.9\.0\/24: it is held by the lease .* \(node node-1\)$/,
    );
  }
  assert.deepEqual(await record(), before);
  await store.create({ key: "10.5.32.0-20", value: nobody, node: undefined, ttl: undefined });
  await fails(reserve(store, { subnet: "10.5.33.0/24", self, clock }), "failed");
  await fails(reserve(store, { subnet: "10.5.32.0/20", self, clock }), "invalid");
  await fails(reserve(store, { subnet: "10.6.1.0/24", self, clock }), "invalid");
});

Deno.test("a subnet kept from everybody can be given to somebody, and to nobody else after that", async () => {
  const { clock, store, record } = await setup();
  await reserve(store, { subnet, self, clock });
  assert.equal((await reserve(store, { subnet, node: "node-1", self, clock })).how, "reserved");
  assert.equal((await record())!.node, "node-1");
  const error = await fails(reserve(store, { subnet, node: "node-2", self, clock }), "failed");
  assert.equal(error.hint, "flan lease unreserve 10.5.9.0/24");
});

Deno.test("unreserve removes what nobody has claimed, gives a claimed one an end, and is done twice", async () => {
  const { clock, store, record, take } = await setup();
  const end = () => unreserve(store, { subnet, ttl: 100, clock });
  assert.equal((await end()).how, "same");
  await reserve(store, { subnet, node: "node-1", self, clock });
  assert.equal((await end()).how, "removed");
  assert.equal(await record(), undefined);
  await reserve(store, { subnet, node: "node-1", self, clock });
  await take(1);
  const { value } = (await record())!;
  assert.equal((await end()).how, "leased");
  assert.deepEqual(said(await record()), [value, "node-1", clock.now() + 100_000]);
  const { revision } = await store.read();
  assert.equal((await end()).how, "same");
  assert.equal((await store.read()).revision, revision);
});

Deno.test("a reservation that loses to a host finds out, and one that loses to a renewal tries again", async () => {
  const { clock, shared, store, take } = await setup();
  class Slow extends MemoryStore {
    before: () => Promise<unknown> = () => Promise.resolve();
    override async create(lease: NewRecord) {
      await this.before();
      return await super.create(lease);
    }
    override async update(lease: NewRecord, expected: number) {
      await this.before();
      return await super.update(lease, expected);
    }
  }
  const slow = new Slow({ clock, shared });
  const once = (work: () => Promise<unknown>) => () => {
    slow.before = () => Promise.resolve();
    return work();
  };
  slow.before = once(() => take(1, { wish: subnet }));
  await letTimePass(clock, fails(reserve(slow, { subnet, self, clock }), "failed"));
  slow.before = once(() => take(1, { backendData: 7 }));
  const kept = await letTimePass(clock, reserve(slow, { subnet, node: "node-1", self, clock }));
  assert.equal(kept.how, "kept");
  assert.deepEqual((await store.read()).records[0]!.value, {
    PublicIP: "192.168.0.1",
    PublicIPv6: null,
    BackendType: "vxlan",
    BackendData: 7,
  });
});

Deno.test("with a backend that announces nothing, a reserved address counts as claimed", async () => {
  const udp = parseNetworkConfig({ Network: "10.5.0.0/16", Backend: { Type: "udp" } });
  const { clock, store } = await setup();
  await reserve(store, { subnet, publicIp: "192.168.0.1", self, clock });
  await reserve(store, { subnet: "10.5.10.0/24", self, clock });
  const { peers, refused } = makeView(await store.read(), { node: "me", network: udp });
  assert.deepEqual([peers.map((one) => one.subnet), refused], [[subnet], []]);
});
