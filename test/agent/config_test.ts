/** The agent follows its host's address and the network's config. */
import assert from "node:assert/strict";
import type { Address, Link } from "../../kernel/state.ts";
import { defaultRoute, TestNetwork, vxlanNetwork } from "../lib/agents.ts";

const underlay: Address = { kind: "address", link: "eth0", address: "192.0.2.1/24" };

Deno.test("host: another underlay address is announced, and the device is made anew with it", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const before = host.kernel.stack.link("flan.1")!;
  host.kernel.stack.add({ ...underlay, address: "192.0.2.77/24" });
  host.kernel.stack.delete(underlay);
  host.kernel.stack.add(defaultRoute);
  await network.clock.advance(1000);
  const record = await network.record(host.subnet!);
  assert.equal((record?.value as { PublicIP: string }).PublicIP, "192.0.2.77");
  const after = host.kernel.stack.link("flan.1")!;
  assert.deepEqual([after.vxlan?.local, after.mac], ["192.0.2.77", before.mac]);
});

Deno.test("host: another underlay MTU reaches the device and subnet.env", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const eth0 = host.kernel.stack.link("eth0")!;
  host.kernel.stack.replace({ ...eth0, mtu: 1400 });
  await network.clock.advance(1000);
  assert.equal(host.kernel.stack.link("flan.1")?.mtu, 1350);
  assert.match(host.subnetEnv, /^FLANNEL_MTU=1350$/m);
});

Deno.test("host: an MTU that leaves no room is a health code, and subnet.env stays", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const eth0 = host.kernel.stack.link("eth0")!;
  host.kernel.stack.replace({ ...eth0, mtu: 500 });
  await network.clock.advance(1000);
  assert.deepEqual(host.codes, ["subnet-file"]);
  assert.match(host.subnetEnv, /^FLANNEL_MTU=1450$/m);
  host.kernel.stack.replace(eth0);
  await network.clock.advance(1000);
  assert.deepEqual(host.codes, []);
});

Deno.test("host: the underlay goes and comes back", async () => {
  await using network = await TestNetwork.start();
  const peer = await network.peer(2);
  const host = await network.joined(1);
  const eth0 = host.kernel.stack.link("eth0")!;
  host.kernel.stack.delete(eth0);
  await network.clock.advance(1000);
  assert.ok(host.codes.includes("underlay-missing"));
  assert.equal(host.lines("underlay-missing").length, 1);
  await network.clock.advance(10 * 60_000);
  assert.equal(host.lines("underlay-missing").length, 1, "said once");
  assert.equal((await network.record(host.subnet!))?.node, host.node, "the lease is kept");
  for (const object of [eth0, underlay, defaultRoute]) host.kernel.stack.add(object);
  await network.clock.advance(2000);
  assert.deepEqual(host.codes, []);
  assert.deepEqual(host.keys("route"), [`route ${peer.subnet} metric 0`]);
});

Deno.test("host: without a default route the underlay stays, and nothing is wrong with peers on its link", async () => {
  await using network = await TestNetwork.start();
  await network.peer(2);
  const host = await network.joined(1);
  host.kernel.attempted.length = 0;
  host.kernel.stack.delete(defaultRoute);
  await network.clock.advance(120_000);
  assert.deepEqual([host.codes, host.lines("underlay-missing"), host.kernel.attempted], [[], [], []]);
  const eth0 = host.kernel.stack.link("eth0")!;
  host.kernel.stack.replace({ ...eth0, up: false });
  await network.clock.advance(2000);
  assert.deepEqual(host.lines("underlay-missing"), ["Link eth0, which carries the overlay, is down"]);
});

Deno.test("host: where no route leads to any peer, that is told with one of them, until one is there", async () => {
  await using network = await TestNetwork.start();
  await network.peer(2, { publicIp: "198.51.100.7" });
  const host = await network.joined(1);
  host.kernel.stack.delete(defaultRoute);
  await network.clock.advance(2000);
  assert.deepEqual(host.lines("underlay-missing"), [
    "No route leads to the peer over link eth0: 198.51.100.7",
  ]);
  await network.peer(3);
  await network.clock.advance(31_000);
  assert.deepEqual(host.codes, [], "one that is on the link can be reached");
});

Deno.test("host: one that joined before joins again without a default route", async () => {
  await using network = await TestNetwork.start();
  const former = { link: "eth0", address: "192.0.2.1" };
  const host = network.host(1, { former });
  host.kernel.stack.delete(defaultRoute);
  await host.join();
  assert.equal(host.agent.state.host.underlay.link, "eth0");
  const stranger = network.host(2);
  stranger.kernel.stack.delete(defaultRoute);
  await assert.rejects(stranger.join(), { message: /there is no default route/ });
});

Deno.test("config: the one that the host joined with is no change", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  await network.peer(2);
  assert.ok(!host.log.messages.includes("The network config has changed"));
});

Deno.test("config: another VNI replaces the device, gives the new one a MAC of its own, and is announced", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const old = host.kernel.stack.link("flan.1")!;
  await network.configure({ ...vxlanNetwork, Backend: { Type: "vxlan", VNI: 7 } });
  assert.deepEqual(host.keys("link"), ["link flan.7"]);
  const { mac } = host.kernel.stack.link("flan.7") as Link;
  assert.notEqual(mac, old.mac);
  const { BackendData } = (await network.record(host.subnet!))?.value as { BackendData: unknown };
  assert.deepEqual(BackendData, { VNI: 7, VtepMAC: mac });
  assert.deepEqual(host.codes, []);
  await network.configure(vxlanNetwork);
  assert.equal(host.kernel.stack.link("flan.1")?.mac, old.mac, "the MAC of the first was kept");
});

Deno.test("config: another network moves the lease, and nothing of the old one is left on the device", async () => {
  await using network = await TestNetwork.start();
  const peer = await network.peer(2);
  const host = await network.joined(1);
  const old = host.subnet!;
  const foreign: Address = { kind: "address", link: "flan.1", address: "172.31.0.1/32" };
  host.kernel.stack.add(foreign);
  await network.configure({ ...vxlanNetwork, Network: "10.9.0.0/16" });
  assert.match(host.subnet!, /^10\.9\./);
  assert.equal(await network.record(old), undefined);
  const own = host.subnet!.replace("/24", "/32");
  assert.deepEqual(host.keys("address"), [
    `address ${own} dev flan.1`,
    "address 172.31.0.1/32 dev flan.1",
  ]);
  assert.deepEqual(host.keys("route"), []);
  assert.match(host.subnetEnv, /^FLANNEL_NETWORK=10\.9\.0\.0\/16$/m);
  assert.deepEqual(host.codes, ["lease-refused"], `${peer.subnet} is outside, and nothing is lost by intent`);
});

Deno.test("config: what another network left behind while nobody ran is removed too", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  await host.stop();
  await network.configure({ ...vxlanNetwork, Network: "10.9.0.0/16" });
  await host.join();
  const own = host.subnet!.replace("/24", "/32");
  assert.deepEqual(host.keys("address"), [`address ${own} dev flan.1`]);
});

Deno.test("config: one that cannot be used is a health code and changes nothing; a good one ends it", async () => {
  await using network = await TestNetwork.start();
  await network.peer(2);
  const host = await network.joined(1);
  host.kernel.attempted.length = 0;
  const bad = [{ Network: "10.5.0.0/33" }, { ...vxlanNetwork, Backend: { Type: "carrier-pigeon" } }, {
    ...vxlanNetwork,
    Backend: { Type: "vxlan", VNI: -1 },
  }];
  for (const config of bad) await network.configure(config);
  await network.clock.advance(60_000);
  assert.deepEqual(host.codes, ["network-config"]);
  assert.equal(host.lines("network-config").length, 1);
  assert.deepEqual(host.kernel.attempted, []);
  await network.configure(vxlanNetwork);
  assert.deepEqual([host.codes, host.kernel.attempted], [[], []]);
});

Deno.test("config: a key that flan does not know is a health code, and goes with the key", async () => {
  await using network = await TestNetwork.start({ ...vxlanNetwork, Colour: "blue" });
  const host = await network.joined(1);
  assert.deepEqual(host.codes, ["option-ignored"]);
  await network.configure(vxlanNetwork);
  assert.deepEqual(host.codes, []);
});

Deno.test("config: a network that cannot be remembered is not entered, and tried again ever more rarely until it can", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const lock = `${host.options.stateDir}/host.lock`;
  Deno.removeSync(lock);
  Deno.mkdirSync(lock);
  let tries = 0;
  const { require } = host.kernel;
  host.kernel.require = (features) => (tries++, require.call(host.kernel, features));
  await network.configure({ ...vxlanNetwork, Backend: { Type: "vxlan", VNI: 7 } });
  assert.deepEqual([host.codes, host.keys("link"), tries], [["network-config"], ["link flan.1"], 1]);
  await network.clock.advance(600_000);
  assert.ok(tries >= 5 && tries <= 25, `${tries} times`);
  assert.deepEqual([host.codes, host.lines("network-config").length], [["network-config"], 1]);
  Deno.removeSync(lock);
  await network.clock.advance(120_000);
  assert.deepEqual([host.codes, host.keys("link")], [[], ["link flan.7"]]);
});
