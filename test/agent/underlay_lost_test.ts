/** A host whose underlay is lost, in whatever way: where it goes, what it announces and what it tells. */
import assert from "node:assert/strict";
import type { Address, Route } from "../../kernel/state.ts";
import { defaultRoute, type TestHost, TestNetwork } from "../lib/agents.ts";
import type { FakeKernel } from "../lib/fake_kernel.ts";

const underlay: Address = { kind: "address", link: "eth0", address: "192.0.2.1/24" };

/** A second link with an address. */
function addEth1({ stack }: FakeKernel): void {
  stack.add({ ...stack.link("eth0")!, name: "eth1" });
  stack.add({ kind: "address", link: "eth1", address: "198.51.100.1/24" });
}

/** Every address that the host has announced, in order. */
async function announcedWhile(network: TestNetwork, host: TestHost, work: () => Promise<void>) {
  const seen: string[] = [];
  const watching = new AbortController();
  const watched = (async () => {
    for await (const { records } of network.store.watch(0, watching.signal)) {
      const { PublicIP } = records.find(({ node }) => node === host.node)!.value as { PublicIP: string };
      if (PublicIP !== seen.at(-1)) seen.push(PublicIP);
    }
  })();
  await work();
  await network.clock.turn();
  watching.abort();
  await watched;
  return seen;
}

Deno.test("host: another default route moves nobody, and one that is followed where the link is gone is told", async () => {
  await using network = await TestNetwork.start();
  const moves: string[] = [];
  const host = await network.joined(1, { moved: () => moves.push(host.agent.state.host.underlay.link) });
  const { stack } = host.kernel;
  addEth1(host.kernel);
  stack.replace({ ...defaultRoute, link: "eth1", gateway: "198.51.100.254" });
  await network.clock.advance(31_000);
  const announced = async () =>
    ((await network.record(host.subnet!))?.value as { PublicIP: string }).PublicIP;
  assert.deepEqual([await announced(), moves], ["192.0.2.1", []]);
  stack.delete(stack.link("eth0")!);
  await network.clock.advance(2000);
  assert.deepEqual([await announced(), moves, host.codes], ["198.51.100.1", ["eth1"], []]);
});

Deno.test("host: while DHCP has nothing for it, a host announces no other address, and is told of", async () => {
  await using network = await TestNetwork.start();
  await network.peer(2);
  const host = await network.joined(1);
  const { stack } = host.kernel;
  const own = { kind: "address", link: "eth0", address: "169.254.7.7/16" } as const;
  const seen = await announcedWhile(network, host, async () => {
    stack.delete(defaultRoute);
    stack.delete(underlay);
    await network.clock.advance(2000);
    assert.ok(host.codes.includes("underlay-missing"));
    stack.add(own);
    await network.clock.advance(40_000);
    assert.deepEqual(host.lines("underlay-missing").length, 1);
    stack.add(underlay);
    await network.clock.advance(1000);
    stack.delete(own);
    stack.add(defaultRoute);
    await network.clock.advance(2000);
  });
  assert.deepEqual([seen, host.codes], [["192.0.2.1"], []]);
});

Deno.test("host: a cable that is out moves it once to where the default route leads, and its return moves nobody", async () => {
  await using network = await TestNetwork.start();
  const host = await network.joined(1);
  addEth1(host.kernel);
  const { stack } = host.kernel;
  const eth0 = stack.link("eth0")!;
  const seen = await announcedWhile(network, host, async () => {
    stack.replace({ ...eth0, noCarrier: true });
    await network.clock.advance(2000);
    assert.deepEqual(host.lines("underlay-missing"), [
      "Link eth0, which carries the overlay, has no carrier",
    ]);
    stack.replace({ ...defaultRoute, link: "eth1", gateway: "198.51.100.254" });
    await network.clock.advance(2000);
    assert.deepEqual(host.codes, []);
    stack.replace(eth0);
    stack.replace(defaultRoute);
    await network.clock.advance(40_000);
  });
  assert.deepEqual(seen, ["192.0.2.1", "198.51.100.1"]);
});

Deno.test("host: an agent that starts anew stays where the host is, wherever the default route leads by then", async () => {
  await using network = await TestNetwork.start();
  const host = network.host(1, { former: { link: "eth0", address: "192.0.2.1" } });
  addEth1(host.kernel);
  host.kernel.stack.replace({ ...defaultRoute, link: "eth1", gateway: "198.51.100.254" });
  await host.join();
  assert.equal(host.agent.state.host.underlay.address, "192.0.2.1");
});

Deno.test("host: a way to its only peer that is refused is told at once, and so is its return", async () => {
  await using network = await TestNetwork.start();
  await network.peer(2);
  const host = await network.joined(1);
  const { kernel } = host;
  const refused: Route = {
    ...defaultRoute,
    destination: "192.0.2.2/32",
    type: "unreachable",
    link: "",
    gateway: "",
  };
  kernel.stack.add(refused);
  await network.clock.advance(2000);
  assert.deepEqual(host.lines("underlay-missing"), ["No route leads to the peer over link eth0: 192.0.2.2"]);
  // One that can be reached is enough.
  await network.peer(3);
  await network.clock.advance(31_000);
  assert.deepEqual(host.codes, []);
  kernel.stack.add({ ...refused, destination: "192.0.2.3/32" });
  await network.clock.advance(2000);
  assert.deepEqual(host.codes, ["underlay-missing"]);
  kernel.stack.delete(refused);
  await network.clock.advance(2000);
  assert.deepEqual([host.codes, kernel.calls.routeGet], [[], 0]);
});
