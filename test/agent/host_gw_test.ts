/** The agent in a host-gw network: routes on the underlay itself, and no device. */
import assert from "node:assert/strict";
import { readHostState } from "../../agent/host_state.ts";
import { ownLease, statusOf } from "../../agent/status.ts";
import { removeFromKernel } from "../../cmd/remove.ts";
import { screen } from "../../cmd/status_screen.ts";
import type { Route } from "../../kernel/state.ts";
import {
  defaultRoute,
  hostGwNetwork,
  hostGwPeer,
  type TestHost,
  TestNetwork,
  udpNetwork,
  vxlanNetwork,
} from "../lib/agents.ts";
import { contents } from "../lib/reconciling.ts";

/** Destination and gateway of each of flan's routes in this kernel. */
function ways({ kernel }: TestHost): string[] {
  return contents(kernel).filter((one): one is Route => one.kind === "route" && one.protocol === 113)
    .map(({ destination, gateway, link }) => `${destination} via ${gateway} dev ${link}`);
}

Deno.test("host-gw: a host joins, follows its peers, and leaves nothing but its routes behind", async () => {
  await using network = await TestNetwork.start(hostGwNetwork);
  const host = network.host(1);
  const before = contents(host.kernel);
  await host.join();
  await host.run();
  assert.deepEqual(contents(host.kernel), before, "it has no device");
  const peer = await network.peer(2, hostGwPeer);
  assert.deepEqual([ways(host), host.codes], [[`${peer.subnet} via 192.0.2.2 dev eth0`], []]);
  assert.match(host.subnetEnv, /^FLANNEL_MTU=1500$/m);
  await network.remove(peer.subnet);
  await network.clock.advance(120_000);
  assert.deepEqual(contents(host.kernel), before);
});

Deno.test("host-gw: the next agent adopts the routes of the last one, and down takes them away", async () => {
  await using network = await TestNetwork.start(hostGwNetwork);
  const [stays, goes] = [await network.peer(2, hostGwPeer), await network.peer(3, hostGwPeer)];
  const host = network.host(1);
  const before = contents(host.kernel);
  await host.join();
  await host.run();
  await host.stop();
  await network.remove(goes.subnet);
  host.kernel.attempted.length = 0;
  await host.join();
  const attempted = host.kernel.attempted.map(({ verb, object }) => `${verb} ${object.kind}`);
  assert.deepEqual(attempted, ["delete route"], "and nothing is said of the other one");
  assert.deepEqual(ways(host), [`${stays.subnet} via 192.0.2.2 dev eth0`]);
  await host.stop();
  await removeFromKernel(host.kernel, selfOf(host));
  assert.deepEqual(contents(host.kernel), before);
});

/** Whom `flan down` finds this host to be by its state directory. */
function selfOf({ options }: TestHost) {
  return { ...readHostState(options.stateDir)!, device: "" };
}

Deno.test("host-gw: two flans of one namespace leave each other's routes alone, and down takes only its own", async () => {
  await using mine = await TestNetwork.start(hostGwNetwork);
  await using theirs = await TestNetwork.start({ ...hostGwNetwork, Network: "10.77.0.0/16" });
  const [near, far] = [await mine.peer(2, hostGwPeer), await theirs.peer(3, hostGwPeer)];
  const host = await mine.joined(1);
  const { kernel } = host;
  const other = await theirs.joined(1, { kernel });
  const both = [`${near.subnet} via 192.0.2.2 dev eth0`, `${far.subnet} via 192.0.2.3 dev eth0`].sort();
  kernel.attempted.length = 0;
  for (let minute = 0; minute < 3; minute++) {
    await mine.clock.advance(60_000);
    await theirs.clock.advance(60_000);
  }
  assert.deepEqual([ways(host).sort(), kernel.attempted], [both, []]);
  assert.deepEqual([host.agent.repairs.count, other.agent.repairs.count], [0, 0]);
  await host.stop();
  await removeFromKernel(kernel, selfOf(host));
  assert.deepEqual(ways(other), [`${far.subnet} via 192.0.2.3 dev eth0`]);
});

for (const to of [hostGwNetwork, vxlanNetwork]) {
  for (const restarted of [false, true]) {
    const how = `${to.Backend.Type}${restarted ? " while no agent runs" : ""}`;
    Deno.test(`host-gw: a network that moves elsewhere, to ${how}, leaves no route, and down finds all`, async () => {
      await using network = await TestNetwork.start(hostGwNetwork);
      const peer = await network.peer(2, hostGwPeer);
      const host = network.host(1);
      const before = contents(host.kernel);
      await host.join();
      await host.run();
      assert.deepEqual(ways(host).length, 1);
      if (restarted) await host.stop();
      await network.remove(peer.subnet);
      await network.configure({ ...to, Network: "10.77.0.0/16" });
      const moved = await network.peer(3, to === hostGwNetwork ? hostGwPeer : {});
      if (restarted) {
        await host.join();
        await host.run();
      }
      assert.deepEqual(ways(host).map((way) => way.split(" ")[0]), [moved.subnet]);
      assert.deepEqual(readHostState(host.options.stateDir)!.networks, ["10.5.0.0/16", "10.77.0.0/16"]);
      await host.stop();
      await removeFromKernel(host.kernel, selfOf(host));
      assert.deepEqual(contents(host.kernel), before);
    });
  }
}

Deno.test("host-gw: what a network's change left while its agent was killed is known to down", async () => {
  await using network = await TestNetwork.start(hostGwNetwork);
  await network.peer(2, hostGwPeer);
  const host = network.host(1);
  const before = contents(host.kernel);
  await host.join();
  host.kernel.failNext("delete", "EBUSY", { times: 9 });
  await network.configure({ ...vxlanNetwork, Network: "10.77.0.0/16" });
  await host.join();
  assert.equal(ways(host).length, 1, "it was not to be removed");
  await host.stop();
  host.kernel.heal();
  await removeFromKernel(host.kernel, selfOf(host));
  assert.deepEqual(contents(host.kernel), before);
});

Deno.test("host-gw: a peer behind a gateway is refused and told of, and reached once its prefix is on the link", async () => {
  await using network = await TestNetwork.start(hostGwNetwork);
  const peer = await network.peer(2, { ...hostGwPeer, publicIp: "198.51.100.2" });
  const host = await network.joined(1);
  assert.deepEqual([ways(host), host.codes], [[], ["lease-refused"]]);
  const onLink: Route = { ...defaultRoute, destination: "198.51.100.0/24", gateway: "" };
  host.kernel.stack.add(onLink, 77);
  await network.clock.advance(1000);
  assert.deepEqual([ways(host), host.codes], [[`${peer.subnet} via 198.51.100.2 dev eth0`], []]);
  host.kernel.stack.delete(onLink, 77);
  await network.clock.advance(1000);
  assert.deepEqual([ways(host), host.codes], [[], ["lease-refused"]]);
});

Deno.test("host-gw: routes that go without a word with the link or its address return with it", async () => {
  await using network = await TestNetwork.start(hostGwNetwork);
  const peer = await network.peer(2, hostGwPeer);
  const host = await network.joined(1);
  const { stack } = host.kernel;
  const there = [`${peer.subnet} via 192.0.2.2 dev eth0`];
  const link = stack.link("eth0")!;
  const address = { kind: "address", link: "eth0", address: "192.0.2.1/24" } as const;
  const deeds = [
    () => (stack.replace({ ...link, up: false }), stack.replace(link)),
    () => (stack.delete(address), stack.add(address)),
    () => stack.delete(host.agent.state.plan.objects[0]!, 4_000_000_000),
  ];
  for (const deed of deeds) {
    deed();
    // What the administrator's tools would put back.
    stack.add(defaultRoute);
    await network.clock.advance(1900);
    assert.deepEqual([ways(host), host.codes], [there, []]);
  }
});

Deno.test("host-gw: while the link is down for longer the network is given up by nobody, and it comes back with it", async () => {
  await using network = await TestNetwork.start(hostGwNetwork);
  const peer = await network.peer(2, hostGwPeer);
  const host = await network.joined(1);
  const { stack } = host.kernel;
  const link = stack.link("eth0")!;
  stack.replace({ ...link, up: false });
  await network.clock.advance(120_000);
  assert.deepEqual([ways(host), host.subnet === undefined], [[], false]);
  assert.ok(host.codes.includes("underlay-missing"));
  stack.replace(link);
  stack.add(defaultRoute);
  await network.clock.advance(1900);
  assert.deepEqual([ways(host), host.codes], [[`${peer.subnet} via 192.0.2.2 dev eth0`], []]);
});

for (const config of [hostGwNetwork, vxlanNetwork]) {
  const type = config.Backend.Type;
  Deno.test(`${type}: a link that was asked for by name and is down is what is told of, and no peer is blamed`, async () => {
    await using network = await TestNetwork.start(config);
    await network.peer(2, config === hostGwNetwork ? hostGwPeer : {});
    const host = await network.joined(1, { iface: ["eth0"] });
    const { stack } = host.kernel;
    const [link, plan] = [stack.link("eth0")!, host.agent.state.plan];
    stack.replace({ ...link, up: false });
    await network.clock.advance(2000);
    assert.deepEqual(host.codes.filter((code) => code !== "kernel-refuses"), ["underlay-missing"]);
    assert.deepEqual(host.agent.state.plan, plan);
    stack.replace(link);
    await network.clock.advance(2000);
    assert.deepEqual(host.codes, []);
  });
}

Deno.test("host-gw: networks change from and to tunnels without a trace of the other one", async () => {
  await using network = await TestNetwork.start(vxlanNetwork);
  const hosts = [await network.joined(1), await network.joined(2)] as const;
  const before = hosts.map((host) => host.keys());
  for (const other of [vxlanNetwork, udpNetwork]) {
    await network.configure(hostGwNetwork);
    const [one, two] = hosts;
    assert.deepEqual(one.keys(), []);
    assert.deepEqual(ways(one), [`${two.subnet} via 192.0.2.2 dev eth0`]);
    assert.deepEqual(ways(two), [`${one.subnet} via 192.0.2.1 dev eth0`]);
    assert.match(one.subnetEnv, /^FLANNEL_MTU=1500$/m);
    await network.configure(other);
    if (other === vxlanNetwork) assert.deepEqual(hosts.map((host) => host.keys()), before);
    assert.ok(ways(one).every((way) => !way.includes("eth0")), ways(one).join());
    assert.deepEqual(one.codes, []);
  }
});

Deno.test("host-gw: an announced address that is not the underlay's is refused at the join and in a running network", async () => {
  const publicIp = "203.0.113.7";
  await using network = await TestNetwork.start(hostGwNetwork);
  await assert.rejects(network.host(1, { publicIp }).join(), {
    code: "invalid",
    message: /host-gw.*203\.0\.113\.7/,
  });
  assert.equal((await network.store.read()).records.length, 0, "no lease was taken");
  await network.configure(vxlanNetwork);
  const host = await network.joined(2, { publicIp });
  const before = host.keys();
  await network.configure(hostGwNetwork);
  assert.deepEqual([host.codes, host.keys()], [["network-config"], before]);
});

Deno.test("host-gw: lease and status name no device", async () => {
  await using network = await TestNetwork.start(hostGwNetwork);
  const host = await network.joined(1);
  const own = host.agent.state.own!;
  assert.deepEqual(ownLease({ ...host.agent.state, lease: own }).device, "");
  const status = statusOf(host.agent, { pid: 1, version: "0", store: "memory", now: network.clock.now() });
  assert.match(screen(status), /^lease {3}\S+ of 10\.5\.0\.0\/16 via host-gw mtu 1500, /m);
});
