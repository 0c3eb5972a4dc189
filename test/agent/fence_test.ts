/** What an agent makes of a store that tells more than it takes, and of word that comes late. */
import assert from "node:assert/strict";
import type { Snapshot, WatchOptions } from "../../lease/store.ts";
import { FlanError } from "../../net/errors.ts";
import { type TestHost, TestNetwork, TTL } from "../lib/agents.ts";

const MINUTE = 60_000;
const full = new FlanError("Cannot write: it is full", { op: "store.write", code: "store" });

/** Lets the store refuse what this host writes, and nothing else. */
function refuseWrites(host: TestHost): () => void {
  const refuse = () => Promise.reject(full);
  Object.assign(host.store, { create: refuse, update: refuse, renew: refuse });
  return () => {
    for (const verb of ["create", "update", "renew"]) Reflect.deleteProperty(host.store, verb);
  };
}

Deno.test("lease: a subnet that the store gives to another is given up at once, though it takes no writes", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const subnet = host.subnet!;
  const heal = refuseWrites(host);
  await network.clock.advance(TTL * 1000 * 0.9);
  assert.deepEqual([host.subnet, host.codes], [subnet, ["store-unreachable"]]);
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
  heal();
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
  const heal = refuseWrites(host);
  await network.remove(subnet);
  await network.clock.turn();
  await overwrite();
  await network.clock.advance(10_000);
  assert.ok(host.codes.includes("lease-overwritten"));
  heal();
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
