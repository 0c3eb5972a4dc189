/** A host that is dead while its network moves to another backend holds the old plane, for as long as its lease says. */
import assert from "node:assert/strict";
import { reserve, unreserve } from "../../lease/reserve.ts";
import { type TestHost, TestNetwork, TTL, udpNetwork, vxlanNetwork } from "../lib/agents.ts";

/** One that lives through the move from vxlan to udp, and one that does not. */
async function moved(
  network: TestNetwork,
  { reserved }: { reserved: boolean },
): Promise<[TestHost, TestHost]> {
  const [alive, dead] = [await network.joined(1), await network.joined(2)];
  const { clock, store } = network;
  const subnet = dead.subnet!;
  if (reserved) await reserve(store, { subnet, node: dead.node, self: undefined, clock });
  await dead.stop();
  await network.configure(udpNetwork);
  return [alive, dead];
}

const both = ["link flan.1", "link flan0"];

Deno.test("a dead host holds the old plane until its lease ends", async () => {
  await using network = await TestNetwork.start(vxlanNetwork);
  const [alive, dead] = await moved(network, { reserved: false });
  await network.clock.advance((TTL / 2) * 1000);
  assert.deepEqual(alive.keys("link"), both);
  assert.deepEqual(alive.agent.state.move?.waiting, [dead.subnet]);
  await network.clock.advance(TTL * 1000);
  assert.deepEqual([alive.keys("link"), alive.agent.state.move], [["link flan0"], undefined]);
});

Deno.test("a dead host with a reservation holds it for more than a day, until that is taken back and its lease ends", async () => {
  await using network = await TestNetwork.start(vxlanNetwork);
  const [alive, dead] = await moved(network, { reserved: true });
  await network.clock.advance(25 * 3600 * 1000);
  assert.deepEqual(alive.keys("link"), both);
  assert.deepEqual(alive.agent.state.move?.waiting, [dead.subnet]);
  const { clock, store } = network;
  await unreserve(store, { subnet: dead.subnet!, ttl: TTL, clock });
  await clock.advance(2 * TTL * 1000);
  assert.deepEqual([alive.keys("link"), alive.agent.state.move], [["link flan0"], undefined]);
  assert.deepEqual(alive.codes, []);
});
