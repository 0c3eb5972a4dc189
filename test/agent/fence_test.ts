/** What an agent makes of a store that tells more than it takes, and of word that comes late. */
import assert from "node:assert/strict";
import type { Snapshot, WatchOptions } from "../../lease/store.ts";
import { FlanError } from "../../net/errors.ts";
import { TestNetwork, TTL } from "../lib/agents.ts";
import { macOf } from "../lib/overlay.ts";

const MINUTE = 60_000;
const full = new FlanError("Cannot write: it is full", { op: "store.write", code: "store" });

Deno.test("lease: a subnet that the store gives to another is given up at once, though it takes no writes", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const subnet = host.subnet!;
  host.store.full = true;
  await network.clock.advance(TTL * 1000 * 0.9);
  assert.deepEqual([host.subnet, host.codes], [subnet, ["store-read-only"]]);
  assert.match(host.agent.health.list()[0]!.message, /^The store takes no writes: .*no space left$/);
  const record = await network.record(subnet);
  await network.store.update({
    key: record!.key,
    value: { ...record!.value as Record<string, string>, PublicIP: "192.0.2.7" },
    node: "node-7",
    ttl: TTL,
  }, record!.revision);
  await network.clock.turn();
  assert.equal(host.subnet, undefined);
  assert.deepEqual(host.keys("address"), []);
  assert.ok(host.codes.includes("lease-lost"));
  host.store.full = false;
  await network.clock.advance(MINUTE);
  assert.notEqual(host.subnet, subnet);
  assert.equal((await network.record(host.subnet!))?.node, host.node);
});

Deno.test("lease: overwritten again after a write that failed, it is left alone and the agent rests", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const subnet = host.subnet!;
  const { key, value } = (await network.record(subnet))!;
  const overwrite = async () => {
    const there = await network.record(subnet);
    if (there !== undefined) await network.remove(subnet);
    await network.store.create({ key, value, node: undefined, ttl: TTL });
  };
  await overwrite();
  await network.clock.advance(1000);
  assert.equal((await network.record(subnet))?.node, host.node, "taken back at once");
  host.store.full = true;
  await network.remove(subnet);
  await network.clock.turn();
  await overwrite();
  await network.clock.advance(10_000);
  assert.ok(host.codes.includes("lease-overwritten"));
  host.store.full = false;
  await network.clock.advance(3 * MINUTE);
  assert.equal((await network.record(subnet))?.node, host.node);
});

Deno.test("store away: a snapshot that was on its way does not end the trouble", async () => {
  await using network = await TestNetwork.start();
  const host = network.host(1);
  host.store.watch = async function* (
    _from: number,
    signal: AbortSignal,
    { troubled = () => {} }: WatchOptions = {},
  ): AsyncGenerator<Snapshot> {
    troubled(full);
    yield await network.store.read();
    await network.clock.sleep(MINUTE, signal);
    if (!signal.aborted) troubled(undefined);
    await network.clock.sleep(60 * MINUTE, signal);
  };
  await host.join();
  await host.run();
  await network.clock.advance(1000);
  assert.deepEqual(host.codes, ["store-unreachable"]);
  assert.equal(host.agent.store.since, undefined);
  await network.clock.advance(MINUTE);
  assert.deepEqual(host.codes, []);
});

/** What a restored or damaged store may tell of a subnet, in place of its holder's record. */
const others: Readonly<Record<string, { key: (subnet: string) => string; revision: "older" | "newer" }>> = {
  "the same key, from a backup": { key: (subnet) => subnet.replace("/", "-"), revision: "older" },
  "a dual-stack key": { key: (subnet) => `${subnet.replace("/", "-")}&fd00:5::-64`, revision: "newer" },
  "a larger subnet": { key: () => "10.5.0.0-23", revision: "newer" },
};

for (const [what, { key, revision }] of Object.entries(others)) {
  Deno.test(`lease: another host's record under ${what} ends the own one, though the store takes no writes`, async () => {
    await using network = await TestNetwork.start();
    const host = await network.joined(1);
    const subnet = host.subnet!;
    host.store.full = true;
    await network.clock.advance(TTL * 1000 * 0.9);
    const { document } = network.shared;
    const at = revision === "older" ? 1 : document.revision + 1;
    const theirs = { ...document.leases.get(subnet.replace("/", "-"))!, node: "node-7", revision: at };
    const value = { ...theirs.value as Record<string, string>, PublicIP: "192.0.2.7" };
    const leases = new Map([[key(subnet), { ...theirs, key: key(subnet), value }]]);
    network.shared.document = { ...document, revision: at, leases };
    for (const bell of network.shared.bells) bell.ring();
    await network.clock.advance(MINUTE);
    assert.equal(host.subnet, undefined);
    assert.deepEqual(host.keys("address"), []);
    assert.ok(host.codes.includes("lease-lost"), host.codes.join());
    host.store.full = false;
    await network.clock.advance(2 * MINUTE);
    assert.equal((await network.record(host.subnet!))?.node, host.node);
    assert.ok(!["10.5.0.0/24", "10.5.1.0/24"].includes(host.subnet!), host.subnet);
  });
}

Deno.test("lease: a larger lease beside the own one takes nothing away, as every other host judges, too", async () => {
  await using network = await TestNetwork.start();
  const hosts = [await network.joined(1), await network.joined(2)];
  const subnets = hosts.map(({ subnet }) => subnet!);
  const value = { PublicIP: "192.0.2.7", BackendType: "vxlan", BackendData: { VNI: 1, VtepMAC: macOf(7) } };
  await network.store.create({ key: "10.5.0.0-22", value, node: "node-7", ttl: TTL });
  await network.clock.turn();
  assert.deepEqual(hosts.map(({ subnet }) => subnet), subnets);
  assert.deepEqual(hosts.map(({ codes }) => codes), [["lease-refused"], ["lease-refused"]]);
  assert.deepEqual(hosts[1]!.keys("route"), [`route ${subnets[0]} metric 0`]);
});

Deno.test("store away: the cause of now is told, and logged once", async () => {
  await using network = await TestNetwork.start();
  const host = network.host(1);
  const trouble = (why: string) =>
    new FlanError(`Cannot watch: ${why}`, { op: "store.watch", code: "store" });
  host.store.watch = async function* (
    _from: number,
    signal: AbortSignal,
    { troubled = () => {} }: WatchOptions = {},
  ): AsyncGenerator<Snapshot> {
    yield await network.store.read();
    troubled(trouble("its answer broke off"));
    await network.clock.sleep(MINUTE, signal);
    troubled(trouble("connection refused"));
    await network.clock.sleep(60 * MINUTE, signal);
  };
  await host.join();
  await host.run();
  await network.clock.advance(2 * MINUTE);
  assert.deepEqual(host.agent.health.list().map(({ message }) => message), [
    "Cannot watch: connection refused",
  ]);
  assert.equal(host.lines("store-unreachable").length, 1);
});
