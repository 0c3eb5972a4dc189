/** The network's backend becomes another one under agents that run: the old device goes, the new one comes. */
import assert from "node:assert/strict";
import { readHostState } from "../../agent/host_state.ts";
import { reserve } from "../../lease/reserve.ts";
import { ipv6Network, joined as dualJoined } from "../lib/dual_agents.ts";
import { TestNetwork, udpNetwork, udpPeer, vxlanNetwork } from "../lib/agents.ts";

Deno.test("switch: vxlan to udp and back under two agents leaves nothing of the other one, and both keep their subnets", async () => {
  await using network = await TestNetwork.start();
  const hosts = [await network.joined(1), await network.joined(2)];
  const subnets = hosts.map((host) => host.subnet);
  const before = hosts.map((host) => host.keys());
  const macs = hosts.map((host) => host.kernel.stack.link("flan.1")!.mac);
  await network.configure(udpNetwork);
  hosts.forEach((host, i) => {
    assert.deepEqual(host.keys(), [
      `address ${host.subnet!.replace("/24", "/32")} dev flan0`,
      "link flan0",
      "proxy flan0",
      `proxy route ${subnets[1 - i]} dev flan0`,
      "route 10.5.0.0/16 metric 0",
    ]);
    assert.match(host.subnetEnv, /^FLANNEL_MTU=1472$/m);
  });
  for (const subnet of subnets) {
    const value = (await network.record(subnet!))?.value as { [key: string]: unknown };
    assert.deepEqual(Object.keys(value), ["PublicIP", "PublicIPv6"]);
  }
  await network.configure(vxlanNetwork);
  assert.deepEqual(hosts.map((host) => host.keys()), before, "no proxy, none of its routes, no TUN device");
  assert.deepEqual(hosts.map((host) => host.subnet), subnets);
  assert.deepEqual(
    hosts.map((host) => host.kernel.stack.link("flan.1")!.mac),
    macs,
    "peers know the MAC still",
  );
  for (const host of hosts) {
    assert.match(host.subnetEnv, /^FLANNEL_MTU=1450$/m);
    assert.deepEqual([host.codes, host.lines("repaired"), host.lines("lease-lost")], [[], [], []]);
  }
});

Deno.test("switch: what nobody saw, because no agent ran, is cleared up at the next start, in both directions", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  const seen = async () => {
    await host.join();
    await host.run();
    await host.stop();
  };
  await host.stop();
  await network.configure(vxlanNetwork);
  await seen();
  const address = host.subnet!.replace("/24", "/32");
  assert.deepEqual(host.keys(), [`address ${address} dev flan.1`, "link flan.1"]);
  await network.configure(udpNetwork);
  await seen();
  assert.deepEqual(host.keys().filter((key) => key.includes("flan.1")), []);
  assert.deepEqual(host.keys("proxy"), ["proxy flan0"]);
});

Deno.test("switch: a device that is not flan's stands in the way of the new one, and the old one stays as long", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const before = host.keys();
  const foreign = { ...host.kernel.stack.link("eth0")!, name: "flan0", type: "tun", alias: "" };
  host.kernel.stack.add(foreign);
  await network.configure(udpNetwork);
  assert.deepEqual([host.codes, host.keys()], [["foreign-link"], [...before, "link flan0"]]);
  host.kernel.stack.delete(foreign);
  await network.clock.advance(1000);
  assert.deepEqual([host.codes, host.keys("proxy"), host.keys("link")], [[], ["proxy flan0"], [
    "link flan0",
  ]]);
});

for (const feature of ["tun", "proxy"] as const) {
  Deno.test(`switch: a host without ${feature} stays in the old network, says why once, and follows when it has it`, async () => {
    await using network = await TestNetwork.start();
    const peer = await network.peer(2);
    const host = await network.joined(1);
    const before = host.keys();
    host.kernel.attempted.length = 0;
    host.kernel.lacks.add(feature);
    await network.configure(udpNetwork);
    await network.clock.advance(5 * 60_000);
    assert.deepEqual([host.codes, host.keys(), host.kernel.attempted], [["network-config"], before, []]);
    const told = "The new network config cannot be used, the old one stays: ";
    assert.deepEqual(host.lines("network-config"), [`${told}Cannot use ${feature}: this host has none`]);
    host.kernel.lacks.clear();
    await network.clock.advance(60_000);
    assert.deepEqual(host.codes, []);
    assert.deepEqual(host.keys("proxy-route"), [`proxy route ${peer.subnet} dev flan0`]);
  });
}

Deno.test("switch: a host that lacks something and whose network comes back was never away", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const before = host.keys();
  host.kernel.lacks.add("tun");
  await network.configure(udpNetwork);
  host.kernel.attempted.length = 0;
  await network.configure(vxlanNetwork);
  assert.deepEqual([host.codes, host.keys(), host.kernel.attempted], [[], before, []]);
});

Deno.test("switch: another port moves the proxy and all its routes in place, and more queues make the device anew", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const peer = await network.peer(2, udpPeer);
  const host = await network.joined(1);
  host.kernel.attempted.length = 0;
  const attempted = () => host.kernel.attempted.map(({ verb, object }) => `${verb} ${object.kind}`);
  await network.configure({ ...udpNetwork, Backend: { Type: "udp", Port: 9000 } });
  assert.deepEqual(attempted(), ["replace proxy", "replace proxy-route"]);
  const route = host.kernel.stack.objects.get(`proxy route ${peer.subnet} dev flan0`);
  assert.deepEqual([route?.kind === "proxy-route" && route.port, host.codes], [9000, []]);
  await network.configure({ ...udpNetwork, Backend: { Type: "udp", Port: 9000, Queues: 2 } });
  assert.equal(host.kernel.stack.link("flan0")?.tun?.multiQueue, true);
  assert.deepEqual([host.codes, host.keys("proxy-route").length, host.keys("route").length], [[], 1, 1]);
});

Deno.test("switch: another Mode of an IPv6 wireguard network takes the former device away, and is no move without an end", async () => {
  const config = (Mode: string) => ({ ...ipv6Network, Backend: { Type: "wireguard", Mode } });
  await using network = await TestNetwork.start(config("separate"));
  const hosts = [await dualJoined(network, 1), await dualJoined(network, 2)];
  assert.deepEqual(hosts.map((host) => host.keys("link")), Array(2).fill(["link flan-wg-v6"]));
  await network.configure(config("auto"));
  await network.clock.advance(60_000);
  for (const host of hosts) {
    assert.deepEqual(host.keys("link"), ["link flan-wg"]);
    assert.deepEqual([host.agent.state.move, host.codes, host.keys("wireguard-peer").length], [
      undefined,
      [],
      1,
    ]);
  }
});

Deno.test("switch: a reservation that its host holds is held through both backends", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const own = host.subnet!;
  await reserve(network.store, { subnet: own, node: host.node, self: undefined, clock: network.clock });
  for (const config of [udpNetwork, vxlanNetwork, udpNetwork]) {
    await network.configure(config);
    await network.clock.advance(60_000);
    const record = await network.record(own);
    assert.deepEqual([host.subnet, host.codes, record?.node, record?.expires], [
      own,
      [],
      host.node,
      undefined,
    ]);
  }
  assert.deepEqual(host.lines("lease-lost"), []);
});

Deno.test("switch: a host keeps the MAC of its vxlan device while it is in a udp network", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const { mac } = host.kernel.stack.link("flan.1")!;
  await network.configure(udpNetwork);
  assert.deepEqual(readHostState(host.options.stateDir)?.macs, { "flan.1": mac });
  assert.equal(host.agent.state.host.mac, "");
});
