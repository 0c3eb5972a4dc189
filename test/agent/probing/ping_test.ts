/** What an agent answers to `flan ping`: a document, or why there is nothing to measure. */
import assert from "node:assert/strict";
import { isUnmeasured, MAX_HOSTS, ping } from "../../../agent/probing/ping.ts";
import { type TestHost, TestNetwork } from "../../lib/agents.ts";
import { letTimePass } from "../../lib/fake_clock.ts";
import { FakeProbeNet } from "../../lib/fake_probes.ts";

/** A host that probes, in a network with one peer. */
async function joined(network: TestNetwork): Promise<TestHost> {
  const net = new FakeProbeNet(network.clock);
  net.addHost("10.5.2.0");
  const host = await network.joined(1, { probes: { open: ({ address }) => net.open(address), port: 8473 } });
  await network.peer(2);
  for (let i = 0; i < 30; i++) await network.clock.advance(100);
  return host;
}

Deno.test("ping: one peer is measured to, by whatever name", async () => {
  await using network = await TestNetwork.start();
  const host = await joined(network);
  for (const to of ["10.5.2.0/24", "10.5.2.9", "192.0.2.2", "node-2"]) {
    const answer = await letTimePass(network.clock, ping(host.agent, { to }, () => 0));
    assert.ok(!("none" in answer), to);
    assert.equal(answer.ok, false, "its agent should measure the other direction, and is silent");
    assert.deepEqual(answer.items.map(({ from, to, state }) => `${from} ${to} ${state}`), [
      "10.5.1.0/24 10.5.2.0/24 ok",
      "10.5.2.0/24 10.5.1.0/24 unknown",
    ]);
  }
});

Deno.test("ping: nobody's name, and this host's own ones", async () => {
  await using network = await TestNetwork.start();
  const host = await joined(network);
  for (const to of ["10.5.9.0/24", "192.0.2.9", "node-9", ""]) {
    assert.deepEqual(await ping(host.agent, { to }, () => 0), { none: "unknown-peer" }, to);
  }
  for (const to of ["10.5.1.0/24", "10.5.1.9", "192.0.2.1", host.node]) {
    assert.deepEqual(await ping(host.agent, { to }, () => 0), { none: "this-host" }, to);
  }
});

Deno.test("ping: an agent that does not measure says so; more hosts than a matrix is for are refused", async () => {
  await using network = await TestNetwork.start();
  const silent = await network.joined(1);
  assert.deepEqual(await ping(silent.agent, {}, () => 0), { none: "off" });
  await using other = await TestNetwork.start();
  const host = await joined(other);
  const { plan } = host.agent.state;
  const peers = Array.from({ length: MAX_HOSTS }, () => plan.peers[0]!);
  const { probing, state } = host.agent;
  const crowded = { probing, state: { ...state, plan: { ...plan, peers } } };
  assert.deepEqual(await ping(crowded, {}, () => 0), { none: "too-many" });
});

Deno.test("ping: where others carry the packets nothing is measured, nor watched", async () => {
  await using network = await TestNetwork.start({ Network: "10.5.0.0/16", Backend: { Type: "alloc" } });
  const net = new FakeProbeNet(network.clock);
  const host = await network.joined(1, { probes: { open: ({ address }) => net.open(address), port: 8473 } });
  await network.peer(2, { backendType: "alloc", backendData: undefined });
  for (let i = 0; i < 600; i++) await network.clock.advance(100);
  assert.equal(host.agent.state.plan.peers.length, 1);
  assert.deepEqual([net.sent, host.codes], [[], []]);
  for (const to of [undefined, "10.5.2.0/24"]) {
    assert.deepEqual(await ping(host.agent, { to }, () => 0), { none: "not-carried" });
  }
});

Deno.test("ping: hosts and pairs stand in the order of their subnets, whoever is asked", async () => {
  await using network = await TestNetwork.start();
  const net = new FakeProbeNet(network.clock);
  for (const n of [1, 2]) await network.peer(n + 1).then(() => net.addHost(`10.5.${n}.0`));
  const host = await network.joined(1, { probes: { open: ({ address }) => net.open(address), port: 8473 } });
  for (let i = 0; i < 30; i++) await network.clock.advance(100);
  const answer = await letTimePass(network.clock, ping(host.agent, {}, () => 0));
  assert.ok(!("none" in answer));
  assert.deepEqual(answer.hosts.map(({ subnet, row }) => `${subnet} ${row}`), [
    "10.5.1.0/24 silent",
    "10.5.2.0/24 silent",
    "10.5.3.0/24 self",
  ]);
  assert.deepEqual(answer.items.map(({ from, to }) => `${from[5]}${to[5]}`), [
    "12",
    "13",
    "21",
    "23",
    "31",
    "32",
  ]);
});

Deno.test("ping: a flannel host has nobody to measure its direction, and that is no failure", async () => {
  await using network = await TestNetwork.start();
  const host = await joined(network);
  const { plan: { peers: [peer], ...plan }, ...state } = host.agent.state;
  const peers = [{ ...peer!, lease: { ...peer!.lease, node: undefined } }];
  const { probing } = host.agent;
  const question = ping({ probing, state: { ...state, plan: { ...plan, peers } } }, {}, () => 0);
  const answer = await letTimePass(network.clock, question);
  assert.ok(!("none" in answer));
  assert.deepEqual([answer.ok, answer.hosts.map(({ row }) => row)], [true, ["self", "no-flan"]]);
});

Deno.test("ping: whoever should have measured and did not is a failure", () => {
  const rows = ["self", "measured", "no-flan", "silent", "busy", "refused"];
  assert.deepEqual(rows.filter((row) => isUnmeasured({ row })), ["silent", "busy", "refused"]);
});
