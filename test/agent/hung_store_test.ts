/** A store that does not answer holds up nothing else: repairs, a new config, questions of the kernel, the end. */
import assert from "node:assert/strict";
import { type TestHost, TestNetwork, TTL, vxlanNetwork } from "../lib/agents.ts";

const MINUTE = 60_000;

/** A host whose lease is due, in a store that does not answer. */
async function hungHost(network: TestNetwork): Promise<TestHost> {
  const host = await network.joined(1);
  host.store.hanging = true;
  await network.clock.advance(TTL * 1000 * 2 / 3 + MINUTE);
  assert.equal(host.store.hung, 1, "the renewal is under way");
  return host;
}

Deno.test("hung store: a route that somebody deletes is put back at once", async () => {
  await using network = await TestNetwork.start();
  const peer = await network.peer(2);
  const host = await hungHost(network);
  host.kernel.stack.delete(host.agent.state.plan.objects.find(({ kind }) => kind === "route")!, 7);
  await network.clock.advance(100);
  assert.deepEqual(host.keys("route"), [`route ${peer.subnet} metric 0`]);
});

Deno.test("hung store: another network config is followed at once, and the peers with it", async () => {
  await using network = await TestNetwork.start();
  const host = await hungHost(network);
  await network.configure({ ...vxlanNetwork, Backend: { Type: "vxlan", VNI: 7 } });
  const peer = await network.peer(2, { backendData: { VNI: 7, VtepMAC: "0e:00:00:00:00:02" } });
  await network.clock.advance(1000);
  const both = ["link flan.1", "link flan.7"];
  assert.deepEqual(
    host.keys("link"),
    both,
    "what its lease announces stays as long as that cannot be written",
  );
  assert.deepEqual(host.keys("route"), [`route ${peer.subnet} metric 0`]);
});

Deno.test("hung store: what the kernel asks for is answered at once", async () => {
  await using network = await TestNetwork.start({
    ...vxlanNetwork,
    Backend: { Type: "vxlan", Mode: "on-demand" },
  });
  const peer = await network.peer(2);
  const host = await hungHost(network);
  host.kernel.stack.ask("flan.1", peer.subnet.replace("0/24", "9"));
  await network.clock.turn();
  assert.deepEqual(host.keys("fdb"), ["fdb 0e:00:00:00:00:02 dev flan.1"]);
});

Deno.test("hung store: the agent ends when it is told to", async () => {
  await using network = await TestNetwork.start();
  const host = await hungHost(network);
  let ended = false;
  const ending = host.stop().then(() => ended = true);
  await network.clock.advance(100);
  assert.ok(ended);
  await ending;
});

Deno.test("hung store: a subnet that it gives to another is left within a second", async () => {
  await using network = await TestNetwork.start();
  const host = await hungHost(network);
  const subnet = host.subnet!;
  const record = (await network.record(subnet))!;
  const value = { ...record.value as Record<string, string>, PublicIP: "192.0.2.7" };
  await network.store.update({ key: record.key, value, node: "node-7", ttl: TTL }, record.revision);
  await network.clock.turn();
  await network.clock.advance(1000);
  assert.equal(host.subnet, undefined);
  assert.deepEqual([host.keys("address"), host.subnetEnv], [[], ""]);
});
