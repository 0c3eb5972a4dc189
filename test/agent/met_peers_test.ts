/** A move to wireguard: nobody is sent to by it before a handshake, and the old plane carries as long. */
import assert from "node:assert/strict";
import { type TestHost, TestNetwork, vxlanNetwork } from "../lib/agents.ts";
import { macOf } from "../lib/overlay.ts";
import { shakeHands } from "../lib/handshakes.ts";

const wireguardNetwork = { ...vxlanNetwork, Backend: { Type: "wireguard" } };

/** The links by which the host sends to the subnet, the narrowest route's first. */
function wayTo({ kernel: { stack } }: TestHost, subnet: string): string {
  for (const key of [`route ${subnet} metric 0`, "route 10.5.0.0/16 metric 0"]) {
    const route = stack.objects.get(key);
    if (route?.kind !== "route") continue;
    const nexthop = stack.objects.get(`nexthop ${route.nexthop}`);
    return nexthop?.kind === "nexthop" ? nexthop.link : route.link;
  }
  return "";
}

function keepalives({ kernel: { stack } }: TestHost): number[] {
  return [...stack.objects.values()].flatMap((one) => one.kind === "wireguard-peer" ? [one.keepalive] : []);
}

Deno.test("met peers: hosts go over to wireguard when they have met, and tell until then whom they have not", async () => {
  await using network = await TestNetwork.start();
  const hosts = [await network.joined(1), await network.joined(2)] as const;
  const [one, two] = hosts;
  const ways = () => [wayTo(one, two.subnet!), wayTo(two, one.subnet!)];
  await network.configure(wireguardNetwork);
  await network.clock.advance(60_000);
  assert.deepEqual(ways(), ["flan.1", "flan.1"]);
  assert.deepEqual(hosts.map(keepalives), [[1], [1]], "each asks for a handshake");
  assert.deepEqual(one.agent.state.move?.waiting, [two.subnet]);
  shakeHands(hosts.map(({ kernel }) => kernel.stack.objects));
  await network.clock.advance(30_000);
  assert.deepEqual(ways(), ["flan-wg", "flan-wg"]);
  assert.equal(one.agent.state.move, undefined);
  assert.deepEqual(hosts.map((host) => host.keys("link")), [["link flan-wg"], ["link flan-wg"]]);
  assert.deepEqual(hosts.map(keepalives), [[0], [0]]);
});

Deno.test("met peers: an agent that is started again amidst the move finds in the kernel whom it has met", async () => {
  await using network = await TestNetwork.start();
  const hosts = [await network.joined(1), await network.joined(2), await network.joined(3)] as const;
  const [one, two, three] = hosts;
  await network.configure(wireguardNetwork);
  await network.clock.advance(5000);
  shakeHands([one, two].map(({ kernel }) => kernel.stack.objects));
  await network.clock.advance(30_000);
  const ways = () => [two, three].map(({ subnet }) => wayTo(one, subnet!));
  assert.deepEqual(ways(), ["flan-wg", "flan.1"]);
  await one.stop();
  await one.join();
  assert.deepEqual(ways(), ["flan-wg", "flan.1"], "by its first plan, which nobody may get another of");
  await one.run();
  await network.clock.advance(1000);
  assert.deepEqual(ways(), ["flan-wg", "flan.1"]);
  assert.deepEqual(one.agent.state.move?.waiting, [three.subnet]);
});

/** How often the agent turns meanwhile. One that never rests gets no further. */
async function turnsIn({ agent }: TestHost, work: () => Promise<void>): Promise<number> {
  const { pulse } = agent;
  const turned = pulse.turned.bind(pulse);
  let turns = 0;
  pulse.turned = () => {
    if (++turns > 10_000) throw new Error("The agent does not come to rest");
    turned();
  };
  await work();
  return turns;
}

for (const type of ["alloc", "extension"]) {
  Deno.test(`met peers: a host that waits for them rests when the network goes over to ${type} at once`, async () => {
    await using network = await TestNetwork.start();
    const hosts = [await network.joined(1), await network.joined(2)] as const;
    await network.configure(wireguardNetwork);
    await network.clock.advance(60_000);
    assert.deepEqual(hosts[0].agent.state.move?.waiting, [hosts[1].subnet]);
    const turns = await turnsIn(hosts[0], async () => {
      await network.configure({ ...vxlanNetwork, Backend: { Type: type } });
      await network.clock.advance(60_000);
    });
    assert.equal(hosts[0].agent.state.backend.type, type);
    assert.ok(turns < 200, `${turns} turns`);
  });
}

Deno.test("met peers: a host that waits for them rests while its kernel cannot be read", async () => {
  await using network = await TestNetwork.start();
  const [one] = [await network.joined(1), await network.joined(2)] as const;
  await network.configure(wireguardNetwork);
  await network.clock.advance(10_000);
  const { kernel } = one;
  const dump = kernel.dump.bind(kernel);
  kernel.dump = (request) =>
    request.links.includes("flan-wg") ? Promise.reject(new Error("The kernel says nothing")) : dump(request);
  const turns = await turnsIn(one, () => network.clock.advance(30_000));
  assert.ok(turns < 200, `${turns} turns`);
});

Deno.test("met peers: of two hosts with one key the one that is refused is waited for, and reached as before", async () => {
  await using network = await TestNetwork.start();
  const hosts = [await network.joined(1), await network.joined(2)] as const;
  const [one, two] = hosts;
  await network.configure(wireguardNetwork);
  await network.clock.advance(5000);
  const { backendType, backendData } = two.agent.state.own!;
  const otherPlanes = [{ backendType: "vxlan", backendData: { VNI: 1, VtepMAC: macOf(9) }, sends: true }];
  const { subnet } = await network.peer(9, { backendType, backendData, otherPlanes });
  shakeHands(hosts.map(({ kernel }) => kernel.stack.objects));
  await network.clock.advance(60_000);
  assert.deepEqual([two.subnet!, subnet].sort().map((to) => wayTo(one, to)), ["flan-wg", "flan.1"]);
  assert.equal(one.agent.state.move?.waiting.length, 1);
});
