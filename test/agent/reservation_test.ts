/** The agent and reservations: claimed when it acquires, never mistaken for its lease, renewed once they have an end. */
import assert from "node:assert/strict";
import { LeaseKeeper } from "../../agent/keeping/keeper.ts";
import { MemoryStore } from "../../lease/document/memory_store.ts";
import { ensureNetwork } from "../../lease/manager.ts";
import { parseNetworkConfig } from "../../lease/network.ts";
import { release } from "../../lease/release.ts";
import { reserve, unreserve } from "../../lease/reserve.ts";
import type { Snapshot } from "../../lease/store.ts";
import { silent } from "../../net/log.ts";
import { TestNetwork, TTL, udpNetwork } from "../lib/agents.ts";
import { FakeClock } from "../lib/fake_clock.ts";

const subnet = "10.5.9.0/24";

Deno.test("reservation: a host that runs keeps its lease, and takes the reservation once that is revoked", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const first = host.subnet!;
  await reserve(network.store, { subnet, node: host.node, self: undefined, clock: network.clock });
  await network.clock.advance(TTL * 1000);
  assert.deepEqual([host.subnet, host.codes], [first, []]);
  await network.remove(first);
  await network.clock.turn();
  assert.equal(host.subnet, subnet);
  const { node, expires } = (await network.record(subnet))!;
  assert.deepEqual([node, expires], [host.node, undefined]);
});

Deno.test("reservation: one that waits for a host does not move it when its lease ended in an outage", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const first = host.subnet!;
  await reserve(network.store, { subnet, node: host.node, self: undefined, clock: network.clock });
  host.store.away = true;
  await network.clock.advance(2 * TTL * 1000);
  assert.equal(await network.record(first), undefined, "it has expired");
  host.kernel.attempted.length = 0;
  host.store.away = false;
  await network.clock.advance(60_000);
  assert.deepEqual([host.subnet, host.codes, host.kernel.attempted], [first, [], []]);
  await host.stop();
  await network.remove(first);
  await host.join();
  assert.equal(host.subnet, subnet, "a join takes it");
});

Deno.test("reservation: made of a running lease it is not renewed, and ended it is", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const own = host.subnet!;
  await reserve(network.store, { subnet: own, node: host.node, self: undefined, clock: network.clock });
  await network.clock.advance(10 * TTL * 1000);
  assert.equal((await network.record(own))?.expires, undefined);
  await unreserve(network.store, { subnet: own, ttl: 30, clock: network.clock });
  await network.clock.advance(60_000);
  assert.equal((await network.record(own))?.node, host.node);
  await network.clock.advance(10 * TTL * 1000);
  assert.deepEqual([host.subnet, host.codes, host.lines("lease-lost")], [own, [], []]);
});

Deno.test("reservation: a lease that was turned into one for this host is claimed again at once", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const own = host.subnet!;
  await reserve(network.store, { subnet: own, node: host.node, self: undefined, clock: network.clock });
  await release(network.store, { subnet: own }, network);
  await network.clock.turn();
  const { node, value } = (await network.record(own))!;
  assert.equal(node, host.node);
  assert.notEqual((value as { PublicIP: string }).PublicIP, "0.0.0.0");
  assert.deepEqual([host.subnet, host.codes], [own, []]);
});

Deno.test("reservation: ended in a store that alone knows when leases end, the lease is renewed from then on", async () => {
  const clock = new FakeClock();
  const store = new MemoryStore({ clock });
  const stateDir = await Deno.makeTempDir({ prefix: "flan-keeper-" });
  const value = { Network: "10.5.0.0/16", Backend: { Type: "vxlan" } };
  await ensureNetwork(store, value);
  const claim = { node: "n", publicIp: "192.0.2.1", backendType: "vxlan", backendData: undefined, ttl: 60 };
  const keeper = new LeaseKeeper({ store, clock, log: silent, stateDir, leaseTtl: 60 });
  const config = parseNetworkConfig(value);
  const hidden = ({ records, ...rest }: Snapshot): Snapshot => ({
    ...rest,
    records: records.map((one) => one.expires === undefined ? one : { ...one, expires: Infinity }),
  });
  const keep = async () => await keeper.keep(hidden(await store.read()), { claim, config });
  try {
    const { subnet } = await keeper.acquire(claim, { config });
    await reserve(store, { subnet, node: "n", self: undefined, clock });
    await keep();
    assert.equal(keeper.nextIn(), Infinity);
    await unreserve(store, { subnet, ttl: 60, clock });
    await clock.advance(10_000);
    await keep();
    assert.equal((await store.read()).records[0]!.expires, clock.now() + 60_000, "renewed at once");
    assert.ok(keeper.nextIn() < 60_000, "and again in time");
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});

Deno.test("reservation: with udp, whose leases announce nothing, a host claims what is reserved for it and holds it", async () => {
  for (const whom of ["node", "publicIp"] as const) {
    await using network = await TestNetwork.start(udpNetwork);
    const host = await network.joined(1);
    const other = await network.joined(2);
    const first = host.subnet!;
    const whose = whom === "node" ? { node: host.node } : { publicIp: "192.0.2.1" };
    await reserve(network.store, { subnet, ...whose, self: undefined, clock: network.clock });
    await host.stop();
    await network.remove(first);
    await host.join();
    await host.run();
    await network.clock.advance(10 * TTL * 1000);
    assert.deepEqual([host.subnet, host.codes, other.codes], [subnet, [], []]);
    const { node, expires } = (await network.record(subnet))!;
    assert.deepEqual([node, expires], [host.node, undefined]);
    assert.deepEqual(other.keys("proxy-route"), [`proxy route ${subnet} dev flan0`]);
  }
});

Deno.test("reservation: with udp, one for nobody is no peer", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  await reserve(network.store, { subnet, self: undefined, clock: network.clock });
  await network.clock.advance(1000);
  assert.deepEqual([host.codes, host.keys("proxy-route")], [[], []]);
});
