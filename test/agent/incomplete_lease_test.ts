/** The agent in a dual-stack network where IPv6 subnets are too few, or lost: IPv4 goes on, and what is missing is told. */
import assert from "node:assert/strict";
import { obstacles } from "../../agent/health/readiness.ts";
import { type TestHost, TestNetwork, TTL } from "../lib/agents.ts";
import { dualNetwork, joined, kernelOf, routes } from "../lib/dual_agents.ts";

/** What a host says that nobody runs, in a lease of both halves. */
const stranger = {
  PublicIP: "192.0.2.9",
  PublicIPv6: "2001:db8::9",
  BackendType: "vxlan",
  BackendData: { VNI: 1, VtepMAC: "02:00:00:00:00:09" },
  BackendV6Data: { VNI: 1, VtepMAC: "02:00:00:00:06:09" },
};
const scarce = { ...dualNetwork, IPv6SubnetMin: "fd00:5:0:1::", IPv6SubnetMax: "fd00:5:0:1::" };

Deno.test("dual stack: where IPv6 subnets are too few, a host keeps and renews its IPv4 lease, and says what it lacks", async () => {
  await using network = await TestNetwork.start({ Network: "10.5.0.0/16", Backend: { Type: "vxlan" } });
  const hosts = [await joined(network, 1), await joined(network, 2)];
  const before = hosts.map(({ subnet }) => subnet);
  await network.configure(scarce);
  await network.clock.advance(5000);
  const whole = hosts.filter(({ agent }) => agent.state.own?.subnet6 !== undefined);
  const [lacking] = hosts.filter((host) => !whole.includes(host));
  assert.equal(whole.length, 1);
  await network.clock.advance(1.2 * TTL * 1000);
  assert.deepEqual(hosts.map(({ subnet }) => subnet), before);
  assert.deepEqual([whole[0]!.codes, lacking!.codes], [[], ["lease-incomplete"]]);
  const { agent } = lacking!;
  assert.deepEqual(obstacles({ lease: agent.state.own, problems: agent.health.list() }), [], "IPv4 is ready");
  assert.match(
    lacking!.lines("lease-incomplete").join("; "),
    /^This host has no IPv6 .*out of subnets[^;]*$/,
  );
  assert.deepEqual(routes(lacking!), [whole[0]!.subnet!]);
  assert.equal((await network.record(lacking!.subnet!))?.node, lacking!.node, "renewed as it is");
  assert.doesNotMatch(lacking!.subnetEnv, /IPV6/);
  await network.configure(dualNetwork);
  await network.clock.advance(120_000);
  assert.notEqual(lacking!.agent.state.own?.subnet6, undefined);
  assert.deepEqual([lacking!.codes, hosts.map(({ subnet }) => subnet)], [[], before]);
});

Deno.test("dual stack: a rival for the IPv6 subnet alone costs that alone", async () => {
  await using network = await TestNetwork.start(scarce);
  const host = await joined(network, 1);
  await usurpIpv6(network);
  const { own, view } = host.agent.state;
  assert.deepEqual([own?.subnet, own?.subnet6], ["10.5.1.0/24", undefined]);
  assert.deepEqual(view.peers.map(({ subnet, subnet6 }) => [subnet, subnet6]), [[
    "10.5.9.0/24",
    "fd00:5:0:1::/64",
  ]]);
  assert.deepEqual(routes(host), ["10.5.9.0/24"]);
  assert.ok(host.codes.includes("lease-incomplete") && !host.codes.includes("lease-lost"));
  assert.match(host.subnetEnv, /^FLANNEL_SUBNET=10\.5\.1\.1\/24$/m);
  assert.doesNotMatch(host.subnetEnv, /IPV6/);
  assert.ok(host.keys("link").includes("link flan.1") && !host.keys("link").includes("link flan-v6.1"));
  const { records } = await network.store.read();
  const rival = records.find(({ node }) => node === "node-9")!;
  await network.store.remove(rival.key, rival.revision);
  await network.clock.advance(120_000);
  assert.deepEqual([host.subnet, host.agent.state.own?.subnet6, host.codes], [
    "10.5.1.0/24",
    "fd00:5:0:1::/64",
    [],
  ]);
});

/** A host that nobody runs gets the IPv6 subnet of the first lease by an older one. */
async function usurpIpv6({ store, clock }: TestNetwork): Promise<void> {
  const key = "10.5.9.0-24&fd00:5:0:1::-64";
  await store.create({ key, value: stranger, node: "node-9", ttl: 30 * 24 * 3600 });
  const { records } = await store.read();
  const own = records.find((one) => one.key !== key)!;
  await store.update({ ...own, ttl: 3600 }, own.revision);
  await clock.advance(2000);
}

/** Two hosts in a network that has become dual stack with one IPv6 subnet: the one that got it, and the other. */
async function tooFew(network: TestNetwork): Promise<[TestHost, TestHost]> {
  const hosts = [await joined(network, 1), await joined(network, 2)];
  await network.configure(scarce);
  await network.clock.advance(5000);
  const isWhole = ({ agent }: TestHost) => agent.state.own?.subnet6 !== undefined;
  return [hosts.find(isWhole)!, hosts.find((host) => !isWhole(host))!];
}

Deno.test("dual stack: an agent that is started again without any IPv6 subnet left keeps its IPv4 lease and says what it lacks", async () => {
  await using network = await TestNetwork.start({ Network: "10.5.0.0/16", Backend: { Type: "vxlan" } });
  const [whole, lacking] = await tooFew(network);
  const { subnet } = lacking;
  await lacking.stop();
  const again = await lacking.join();
  assert.deepEqual([again.subnet, again.subnet6, lacking.codes], [subnet, undefined, ["lease-incomplete"]]);
  await lacking.run();
  await network.clock.advance(1.2 * TTL * 1000);
  assert.equal((await network.record(subnet!))?.node, lacking.node, "renewed as it is");
  assert.deepEqual([lacking.codes, routes(lacking), routes(whole)], [
    ["lease-incomplete"],
    [whole.subnet],
    [subnet],
  ]);
  await network.configure(dualNetwork);
  await network.clock.advance(120_000);
  assert.notEqual(lacking.agent.state.own?.subnet6, undefined);
  assert.deepEqual([lacking.subnet, lacking.codes], [subnet, []]);
});

Deno.test("dual stack: an agent that is started again while a rival has its IPv6 subnet joins with its IPv4 subnet alone", async () => {
  await using network = await TestNetwork.start(scarce);
  const host = await joined(network, 1);
  await usurpIpv6(network);
  await host.stop();
  const { subnet, subnet6 } = await host.join();
  await host.run();
  assert.deepEqual([subnet, subnet6], ["10.5.1.0/24", undefined]);
  assert.ok(host.codes.includes("lease-incomplete") && !host.codes.includes("lease-lost"));
  assert.deepEqual(routes(host), ["10.5.9.0/24"]);
  assert.doesNotMatch(host.subnetEnv, /IPV6/);
});

Deno.test("dual stack: a newcomer without any IPv6 subnet left, or one whose lease has gone, is refused", async () => {
  await using network = await TestNetwork.start(scarce);
  const first = await joined(network, 1);
  const newcomer = network.host(2, { kernel: kernelOf(2) });
  await assert.rejects(newcomer.join(), /out of subnets/);
  const { records } = await network.store.read();
  assert.deepEqual(records.map(({ node }) => node), [first.node]);
});
