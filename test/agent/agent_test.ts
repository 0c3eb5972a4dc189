/** The agent on a kernel and a store in memory: joining, and following its peers. */
import assert from "node:assert/strict";
import type { Link, Route } from "../../kernel/state.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import { TestNetwork, underlayStack } from "../lib/agents.ts";
import { macOf } from "../lib/overlay.ts";

Deno.test("join: takes a lease, then makes the kernel, then says so in subnet.env", async () => {
  await using network = await TestNetwork.start();
  await network.peer(2);
  const host = network.host(1);
  const lease = await host.join();
  assert.equal((await network.record(lease.subnet))?.node, host.node);
  assert.deepEqual(host.keys("route"), ["route 10.5.1.0/24 metric 0"]);
  assert.equal(
    host.subnetEnv,
    [
      "FLANNEL_NETWORK=10.5.0.0/16",
      `FLANNEL_SUBNET=${lease.subnet.replace("0/24", "1/24")}`,
      "FLANNEL_MTU=1450",
      "FLANNEL_IPMASQ=false",
      "",
    ].join("\n"),
  );
});

Deno.test("join: a kernel that refuses fails it, and there is no subnet.env", async () => {
  for (const [verb, kind] of [["dump", undefined], ["apply", undefined], ["add", "address"]] as const) {
    await using network = await TestNetwork.start();
    const host = network.host(1);
    // Three dumps or attempts are made at most; all of them fail.
    host.kernel.failNext(verb, "EPERM", { times: 9, ...(kind && { kind }) });
    await assert.rejects(host.join(), { errno: "EPERM" }, verb);
    assert.equal(host.subnetEnv, "");
  }
});

Deno.test("join: the dump of the reconcile that fails is not lost", async () => {
  await using network = await TestNetwork.start();
  const host = network.host(1);
  await host.join();
  // Two dumps describe the host at first, one later: the next but one is the reconciler's.
  const { dump } = host.kernel;
  let dumps = 0;
  host.kernel.dump = (request) => {
    if (++dumps === 2) host.kernel.failNext("dump", "ENOBUFS");
    return dump.call(host.kernel, request);
  };
  await assert.rejects(host.join(), { errno: "ENOBUFS" });
});

Deno.test("join: somebody else's link or address in our place fails it and is named; it stays", async () => {
  await using network = await TestNetwork.start();
  const stack = underlayStack(1);
  const foreign: Link = { ...stack.link("eth0")!, name: "flan.1", type: "bridge" };
  stack.add(foreign);
  const host = network.host(1, { kernel: new FakeKernel(stack) });
  await assert.rejects(host.join(), {
    code: "failed",
    message: "Cannot join the network: link flan.1 is not flan's and stands in the way of link flan.1",
  });
  assert.deepEqual(stack.link("flan.1"), foreign);
  assert.equal(host.subnetEnv, "");
});

Deno.test("join: somebody else's route to one peer is that peer's problem only", async () => {
  await using network = await TestNetwork.start();
  const [two, three] = [await network.peer(2), await network.peer(3)];
  const stack = underlayStack(1);
  const administrators: Route = {
    kind: "route",
    destination: two.subnet,
    metric: 0,
    link: "eth0",
    gateway: "",
    onlink: false,
    nexthop: 0,
    type: "unicast",
    protocol: 4,
  };
  stack.add(administrators);
  const host = await network.joined(1, { kernel: new FakeKernel(stack) });
  assert.deepEqual(host.codes, ["foreign-route"]);
  assert.deepEqual(stack.objects.get(`route ${two.subnet} metric 0`), administrators);
  assert.ok(host.keys("route").includes(`route ${three.subnet} metric 0`));
  assert.equal(host.lines("foreign-route").length, 1);
  // Once more, and nothing is said again; gone, and ours takes its place.
  await network.peer(4);
  await network.clock.advance(60_000);
  assert.equal(host.lines("foreign-route").length, 1);
  stack.delete(administrators);
  await network.clock.turn();
  await network.clock.advance(1000);
  assert.deepEqual(host.codes, []);
  assert.equal(host.lines("foreign-route").length, 2);
  assert.match(host.lines("foreign-route")[1]!, /^Well again: /);
});

Deno.test("join: a store without a network is an error with a hint", async () => {
  await using network = await TestNetwork.start();
  network.shared.document = { ...network.shared.document, config: undefined };
  await assert.rejects(network.host(1).join(), {
    code: "store",
    message: "Cannot find a network in memory:: none was started there",
  });
});

Deno.test("a peer that appears, changes and leaves is followed without a look at the kernel", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const dumps = host.kernel.calls.dump;
  const peer = await network.peer(2);
  assert.deepEqual(host.keys("route"), [`route ${peer.subnet} metric 0`]);
  await network.peer(2, { publicIp: "192.0.2.22", backendData: { VNI: 1, VtepMAC: macOf(22) } });
  const fdb = [...host.kernel.stack.objects.values()].find(({ kind }) => kind === "fdb");
  assert.deepEqual(fdb, { kind: "fdb", link: "flan.1", mac: macOf(22), remote: "192.0.2.22" });
  await network.remove(peer.subnet);
  await network.clock.turn();
  assert.deepEqual([host.keys("route"), host.keys("fdb"), host.keys("neighbour")], [[], [], []]);
  assert.equal(host.kernel.calls.dump, dumps);
  assert.deepEqual(host.lines("repaired"), []);
});

Deno.test("a hostile lease is refused alone, as a health code that ends with it", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const good = await network.peer(2);
  const bad = await network.peer(3, { backendData: { VNI: 1, VtepMAC: "ff:ff:ff:ff:ff:ff" } });
  assert.deepEqual(host.codes, ["lease-refused"]);
  assert.deepEqual(host.keys("route"), [`route ${good.subnet} metric 0`]);
  await network.remove(bad.subnet);
  await network.clock.turn();
  assert.deepEqual(host.codes, []);
  assert.equal(host.lines("lease-refused").length, 2);
});

Deno.test("stopping leaves the kernel and subnet.env as they are, and the next run changes nothing", async () => {
  await using network = await TestNetwork.start();
  await network.peer(2);
  const host = await network.joined(1);
  const before = [...host.kernel.stack.objects.values()];
  const { subnet, subnetEnv } = host;
  await host.stop();
  assert.equal(host.subnetEnv, subnetEnv);
  host.kernel.attempted.length = 0;
  await host.join();
  assert.equal(host.subnet, subnet);
  assert.deepEqual(host.kernel.attempted, []);
  assert.deepEqual([...host.kernel.stack.objects.values()], before);
});

Deno.test("a look that finds nothing wrong changes nothing and says nothing", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  const lines = host.log.lines.length;
  host.kernel.attempted.length = 0;
  await network.clock.advance(10 * 60_000);
  assert.deepEqual([host.kernel.attempted, host.log.lines.length], [[], lines]);
});
