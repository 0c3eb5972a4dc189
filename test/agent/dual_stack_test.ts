/** The agent in networks with IPv6: what it announces, keeps in its files and follows, in both families. */
import assert from "node:assert/strict";
import { readHostState } from "../../agent/host_state.ts";
import { ownLease, statusOf } from "../../agent/status.ts";
import { defaultRoute, TestNetwork } from "../lib/agents.ts";
import {
  address,
  announced,
  dualNetwork,
  ipv6Network,
  joined,
  kernelOf,
  routes,
} from "../lib/dual_agents.ts";

Deno.test("dual stack: a host announces both halves, each with the MAC of its device, and subnet.env has both", async () => {
  await using network = await TestNetwork.start(dualNetwork);
  const host = await joined(network, 1);
  const { macs, previous, previous6, networks } = readHostState(host.options.stateDir)!;
  const [mac, mac6] = [macs["flan.1"], macs["flan-v6.1"]];
  assert.ok(mac !== undefined && mac6 !== undefined && mac !== mac6);
  assert.deepEqual([previous, previous6], ["10.5.1.0/24", "fd00:5:0:1::/64"]);
  assert.deepEqual(networks, ["10.5.0.0/16", "fd00:5::/48"]);
  const { records: [record] } = await network.store.read();
  assert.deepEqual([record?.key, record?.value], [
    "10.5.1.0-24&fd00:5:0:1::-64",
    {
      PublicIP: "192.0.2.1",
      PublicIPv6: "2001:db8::1",
      BackendType: "vxlan",
      BackendData: { VNI: 1, VtepMAC: mac },
      BackendV6Data: { VNI: 1, VtepMAC: mac6 },
    },
  ]);
  assert.equal(
    host.subnetEnv,
    "FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.1.1/24\nFLANNEL_IPV6_NETWORK=fd00:5::/48\n" +
      "FLANNEL_IPV6_SUBNET=fd00:5:0:1::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=false\n",
  );
  assert.deepEqual(host.codes, []);
});

Deno.test("dual stack: peers are routed in both families, and those of one family in that one", async () => {
  await using network = await TestNetwork.start(dualNetwork);
  const [one, two] = [await joined(network, 1), await joined(network, 2)];
  assert.deepEqual(routes(one), ["10.5.2.0/24", "fd00:5:0:2::/64"]);
  assert.deepEqual(routes(two), ["10.5.1.0/24", "fd00:5:0:1::/64"]);
  const value = { PublicIP: "192.0.2.9", PublicIPv6: null, BackendType: "vxlan" };
  const data = { VNI: 1, VtepMAC: "02:00:00:00:00:09" };
  const record = { key: "10.5.9.0-24", value: { ...value, BackendData: data }, node: "node-9", ttl: 3600 };
  await network.store.create(record);
  await network.clock.turn();
  assert.ok(routes(one).includes("10.5.9.0/24"));
  assert.deepEqual(one.codes, []);
});

Deno.test("dual stack: another address of either family is announced within two seconds", async () => {
  await using network = await TestNetwork.start(dualNetwork);
  const host = await joined(network, 1);
  const { stack } = host.kernel;
  stack.add(address("2001:db8::77/64", { passing: true }));
  stack.delete(address("2001:db8::1/64"));
  await network.clock.advance(2000);
  assert.deepEqual(await announced(network, host), ["192.0.2.1", "2001:db8::1"], "nothing else is there yet");
  assert.deepEqual(host.codes, ["underlay-missing"]);
  stack.add(address("2001:db8::78/64"));
  await network.clock.advance(2000);
  assert.deepEqual(await announced(network, host), ["192.0.2.1", "2001:db8::78"]);
  stack.add(address("192.0.2.55/24"));
  stack.delete(address("192.0.2.1/24"));
  stack.add(defaultRoute);
  await network.clock.advance(2000);
  assert.deepEqual(await announced(network, host), ["192.0.2.55", "2001:db8::78"]);
  assert.deepEqual([host.codes, host.subnet], [[], "10.5.1.0/24"]);
});

Deno.test("dual stack: the next agent takes both subnets again, also where the lease has ended meanwhile", async () => {
  await using network = await TestNetwork.start(dualNetwork);
  const first = await joined(network, 3);
  const host = await joined(network, 1);
  const before = [host.agent.state.own!.subnet, host.agent.state.own!.subnet6];
  assert.deepEqual(before, ["10.5.2.0/24", "fd00:5:0:2::/64"]);
  await host.stop();
  await first.stop();
  for (const { key, revision } of (await network.store.read()).records) {
    await network.store.remove(key, revision);
  }
  const { subnet, subnet6 } = await host.join();
  assert.deepEqual([subnet, subnet6], before);
});

Deno.test("dual stack: a host whose IPv6 subnet is another's leaves it and takes both anew", async () => {
  await using network = await TestNetwork.start(dualNetwork);
  const host = await joined(network, 1);
  const value = { PublicIP: "192.0.2.9", PublicIPv6: "2001:db8::9", BackendType: "vxlan" };
  await network.store.create({ key: "10.5.9.0-24&fd00:5:0:1::-64", value, node: "node-9", ttl: 3600 });
  await network.clock.advance(2000);
  assert.equal(host.agent.state.own?.subnet6, "fd00:5:0:1::/64", "the older lease holds it");
  const { records: [own] } = await network.store.read();
  await network.store.renew(own!.key, { expected: own!.revision, ttl: 3600 });
  await network.store.update({ ...own!, ttl: 3600 }, (await network.store.read()).records[0]!.revision);
  await network.clock.advance(5000);
  assert.notEqual(host.agent.state.own?.subnet6, "fd00:5:0:1::/64");
  assert.equal(host.agent.state.own?.subnet, "10.5.1.0/24");
});

Deno.test("a network that becomes dual stack is followed: each host keeps its IPv4 subnet and gets one of IPv6", async () => {
  await using network = await TestNetwork.start({ Network: "10.5.0.0/16", Backend: { Type: "vxlan" } });
  const hosts = [await joined(network, 1), await joined(network, 2)];
  const before = hosts.map(({ subnet }) => subnet);
  await network.configure(dualNetwork);
  await network.clock.advance(5000);
  assert.deepEqual(hosts.map(({ subnet }) => subnet), before);
  assert.deepEqual(hosts.map(({ agent }) => agent.state.own?.subnet6), [
    "fd00:5:0:1::/64",
    "fd00:5:0:2::/64",
  ]);
  const { records } = await network.store.read();
  assert.deepEqual(records.map(({ key }) => key), [
    "10.5.1.0-24&fd00:5:0:1::-64",
    "10.5.2.0-24&fd00:5:0:2::-64",
  ]);
  assert.ok(hosts.every(({ codes }) => codes.length === 0));
});

Deno.test("dual stack: a host without an IPv6 address is refused before anything is touched", async () => {
  await using network = await TestNetwork.start(dualNetwork);
  const host = network.host(1);
  await assert.rejects(host.join(), /no default route is over a link with IPv4 and IPv6 addresses/);
  assert.deepEqual([host.keys(), (await network.store.read()).records], [[], []]);
});

Deno.test("IPv6 alone: a host needs no IPv4, and everything is said in IPv6", async () => {
  await using network = await TestNetwork.start(ipv6Network);
  const kernel = kernelOf(1);
  kernel.stack.delete(address("192.0.2.1/24"));
  const host = await network.joined(1, { kernel });
  const peer = await joined(network, 2);
  assert.deepEqual([host.subnet, peer.subnet], ["fd00:5:0:1::/64", "fd00:5:0:2::/64"]);
  assert.deepEqual(await announced(network, host), ["0.0.0.0", "2001:db8::1"]);
  assert.deepEqual(routes(host), ["fd00:5:0:2::/64"]);
  assert.equal(
    host.subnetEnv,
    "FLANNEL_IPV6_NETWORK=fd00:5::/48\nFLANNEL_IPV6_SUBNET=fd00:5:0:1::1/64\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=false\n",
  );
  assert.deepEqual(Object.keys(readHostState(host.options.stateDir)!.macs), ["flan-v6.1"]);
});

Deno.test("dual stack: documents have the second half in fields of its own", async () => {
  await using network = await TestNetwork.start(dualNetwork);
  const host = await network.joined(1, { kernel: kernelOf(1), publicIp6: "2001:db8:99::1" });
  const { own: lease, config, host: facts, backend } = host.agent.state;
  const document = ownLease({ lease: lease!, config, host: facts, backend });
  const { subnet6, publicIp6, gateway6, network6, gateway, device, device6 } = document;
  assert.deepEqual([device, device6], ["flan.1", "flan-v6.1"]);
  assert.deepEqual([subnet6, publicIp6, gateway6, network6, gateway], [
    "fd00:5:0:1::/64",
    "2001:db8:99::1",
    "fd00:5:0:1::1/64",
    "fd00:5::/48",
    "10.5.1.1/24",
  ]);
  const status = statusOf(host.agent, { pid: 1, version: "1", store: "x", now: 0 });
  assert.deepEqual(status.network6, "fd00:5::/48");
  assert.deepEqual([status.underlay.address, status.underlay.address6, status.underlay.publicIp6], [
    "192.0.2.1",
    "2001:db8::1",
    "2001:db8:99::1",
  ]);
});
