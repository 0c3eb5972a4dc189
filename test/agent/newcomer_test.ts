/** A host that joins while its network moves from one backend to another, and some of its peers have not followed. */
import assert from "node:assert/strict";
import { readPlanes } from "../../agent/planes.ts";
import { parseNetworkConfig } from "../../lease/network.ts";
import type { Json } from "../../net/json.ts";
import { type TestHost, TestNetwork, TTL } from "../lib/agents.ts";
import { lostBetween, type Station } from "../lib/arrival.ts";

const Network = "10.5.0.0/16";
const stationOf = (host: TestHost, n: number): Station => ({
  address: `192.0.2.${n}`,
  subnet: host.subnet!,
  objects: host.kernel.stack.objects,
});

/** What does not arrive among the hosts, which are numbered from 1. */
function lost(hosts: readonly TestHost[]): string[] {
  const stations = hosts.map((host, i) => stationOf(host, i + 1));
  return stations.flatMap((from) =>
    stations.filter((to) => to !== from).flatMap((to) => {
      const why = lostBetween(from, to, Network);
      return why === undefined ? [] : [`${from.subnet} to ${to.subnet}: ${why}`];
    })
  );
}

/** One host that lacks what the new backend needs, one that moves, and one that joins then. */
async function movedAmidst(network: TestNetwork, to: Json): Promise<TestHost[]> {
  const [left, moving] = [await network.joined(1), await network.joined(2)];
  for (const feature of ["tun", "vxlan"] as const) left.kernel.lacks.add(feature);
  await network.configure({ Network, ...to as Record<string, Json> });
  return [left, moving, await network.joined(3)];
}

const vxlan = { Type: "vxlan" };
const moves: readonly { name: string; from: Json; to: Record<string, Json>; former?: Json }[] = [
  { name: "vxlan to udp", from: vxlan, to: { Backend: { Type: "udp" } } },
  { name: "another VNI to vxlan", from: { Type: "vxlan", VNI: 7 }, to: { Backend: vxlan } },
  { name: "host-gw to vxlan", from: { Type: "host-gw" }, to: { Backend: vxlan } },
  {
    name: "udp to vxlan, as the config says",
    from: { Type: "udp", Port: 9000 },
    to: { Backend: vxlan, FormerBackends: [{ Type: "udp", Port: 9000 }] },
  },
];

for (const { name, from, to } of moves) {
  Deno.test(`newcomer, ${name}: it reaches who has not moved and is reached, and leaves the old plane with the last`, async () => {
    await using network = await TestNetwork.start({ Network, Backend: from });
    const hosts = await movedAmidst(network, to);
    const [left, , newcomer] = hosts as [TestHost, TestHost, TestHost];
    assert.deepEqual(lost(hosts), []);
    assert.deepEqual([left.codes, newcomer.codes], [["network-config"], []]);
    assert.deepEqual(newcomer.agent.state.move?.waiting, [left.subnet]);
    assert.deepEqual(newcomer.agent.state.own!.otherPlanes?.map(({ sends }) => sends), [true], "it says so");
    const routes = newcomer.agent.state.plan.objects.filter(({ kind }) => kind === "proxy-route");
    if ("FormerBackends" in to) {
      assert.ok(routes.every((one) => one.kind === "proxy-route" && one.port === 9000));
    }
    left.kernel.lacks.clear();
    await network.clock.advance(2 * 60_000);
    assert.deepEqual(lost(hosts), []);
    assert.deepEqual([newcomer.agent.state.move, left.agent.state.move, left.codes], [
      undefined,
      undefined,
      [],
    ]);
    const links = newcomer.keys("link");
    assert.equal(links.length, 1, links.join());
  });
}

Deno.test("newcomer: one that is started again amidst the move goes on with both planes", async () => {
  await using network = await TestNetwork.start({ Network, Backend: vxlan });
  const hosts = await movedAmidst(network, { Backend: { Type: "udp" } });
  const newcomer = hosts[2]!;
  await newcomer.stop();
  const { stateDir } = newcomer.options;
  const config = parseNetworkConfig({ Network, Backend: { Type: "udp" } });
  assert.deepEqual(readPlanes(stateDir, { network: config, macs: {} }).map(({ backend }) => backend.type), [
    "udp",
    "vxlan",
  ]);
  newcomer.kernel.attempted.length = 0;
  await newcomer.join();
  await newcomer.run();
  assert.deepEqual([newcomer.kernel.attempted, lost(hosts)], [[], []]);
});

Deno.test("newcomer: a host that comes back on the old plane, when all had left it, is met there again", async () => {
  await using network = await TestNetwork.start({ Network, Backend: vxlan });
  const [left, moving] = [await network.joined(1), await network.joined(2)];
  left.kernel.lacks.add("tun");
  left.store.away = true;
  await network.configure({ Network, Backend: { Type: "udp" } });
  await network.clock.advance(2 * TTL * 1000);
  assert.deepEqual(moving.keys("link"), ["link flan0"]);
  left.store.away = false;
  await network.clock.advance(60_000);
  assert.deepEqual([left.codes, lost([left, moving])], [["network-config"], []]);
});

Deno.test("newcomer: one that lacks something for the old plane joins without, and takes it up when it has it", async () => {
  await using network = await TestNetwork.start({ Network, Backend: vxlan });
  const [left] = [await network.joined(1)];
  left.kernel.lacks.add("tun");
  await network.configure({ Network, Backend: { Type: "udp" } });
  const newcomer = network.host(2);
  newcomer.kernel.lacks.add("vxlan");
  await newcomer.join();
  await newcomer.run();
  assert.deepEqual([newcomer.keys("link"), newcomer.agent.state.move], [["link flan0"], undefined]);
  assert.deepEqual(newcomer.codes, ["former-backend"]);
  newcomer.kernel.lacks.clear();
  await network.clock.advance(60_000);
  assert.deepEqual([newcomer.codes, lost([left, newcomer])], [[], []], "though nothing is new in the store");
});
