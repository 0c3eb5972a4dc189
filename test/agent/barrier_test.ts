/** A network that encrypts: what keeps its packets from leaving in clear stays while this host has no lease. */
import assert from "node:assert/strict";
import { type TestHost, TestNetwork, TTL, vxlanNetwork } from "../lib/agents.ts";

const wireguardNetwork = { ...vxlanNetwork, Backend: { Type: "wireguard" } };
const BARRIER = "route 10.5.0.0/16 metric 4294967294";
const ROUTE = "route 10.5.0.0/16 metric 0";

/** Gives the host's subnet to another, in a store that takes none of the host's own writes from then on. */
async function loseLease(network: TestNetwork, host: TestHost): Promise<void> {
  host.store.full = true;
  const record = await network.record(host.subnet!);
  await network.store.update({
    key: record!.key,
    value: { ...record!.value as Record<string, string>, PublicIP: "192.0.2.7" },
    node: "node-7",
    ttl: TTL,
  }, record!.revision);
  await network.clock.turn();
}

Deno.test("barrier: it stays while a lost lease has no other one in its place, and is never made anew", async () => {
  await using network = await TestNetwork.start(wireguardNetwork);
  const host = await network.joined(1);
  assert.deepEqual(host.keys("route"), [ROUTE, BARRIER]);
  host.kernel.attempted.length = 0;
  await loseLease(network, host);
  assert.deepEqual([host.subnet, host.keys()], [undefined, [BARRIER]]);
  assert.ok(host.codes.includes("lease-lost"));
  host.store.full = false;
  await network.clock.advance(60_000);
  assert.notEqual(host.subnet, undefined);
  assert.deepEqual(host.keys("route"), [ROUTE, BARRIER]);
  const touched = host.kernel.attempted.filter(({ object }) =>
    object.kind === "route" && object.type === "unreachable"
  );
  assert.deepEqual(touched, []);
});

Deno.test("barrier: somebody who deletes it while there is no lease finds it put back", async () => {
  await using network = await TestNetwork.start(wireguardNetwork);
  const host = await network.joined(1);
  await loseLease(network, host);
  const barrier = host.kernel.stack.objects.get(BARRIER)!;
  host.kernel.stack.delete(barrier, 4_000_000_000);
  await network.clock.advance(2000);
  assert.deepEqual(host.keys(), [BARRIER]);
  assert.equal(host.lines("repaired").length, 1);
});

Deno.test("barrier: an agent that is started again without a lease to be had leaves it", async () => {
  await using network = await TestNetwork.start(wireguardNetwork);
  const host = await network.joined(1);
  await loseLease(network, host);
  await host.stop();
  await assert.rejects(host.join());
  assert.deepEqual(host.keys(), [BARRIER]);
});

Deno.test("barrier: a network in clear has none, and leaves nothing without a lease", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  await loseLease(network, host);
  assert.deepEqual([host.subnet, host.keys()], [undefined, []]);
});
