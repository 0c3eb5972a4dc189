/** What the background probes find shows in `flan status`, on `/metrics` and in the log, and goes when it is over. */
import assert from "node:assert/strict";
import { probePage } from "../../agent/monitoring/pages.ts";
import { forgetNetworks } from "../../agent/host_state.ts";
import { statusOf } from "../../agent/status.ts";
import { statusLine } from "../../agent/status_line.ts";
import { type TestHost, TestNetwork } from "../lib/agents.ts";
import { FakeProbeNet, type Passing } from "../lib/fake_probes.ts";
import { assertScrapable } from "../lib/promtool.ts";

const PEER = "10.5.2.0/24";

/** A host that has joined and watches its only peer, whose kernel answers echoes. */
async function watching(body: (lab: Awaited<ReturnType<typeof make>>) => Promise<void>) {
  await using network = await TestNetwork.start();
  await body(await make(network));
}

async function make(network: TestNetwork) {
  const net = new FakeProbeNet(network.clock);
  net.addHost("10.5.2.0");
  const host = await network.joined(1, { probes: { open: ({ address }) => net.open(address), port: 8473 } });
  assert.equal(host.subnet, "10.5.1.0/24");
  assert.equal((await network.peer(2)).subnet, PEER);
  // In steps: whoever waits for a lost packet takes some turns of the loop before the next sleep.
  const pass = async (ms: number) => {
    for (let gone = 0; gone < ms; gone += 100) await network.clock.advance(100);
  };
  return { network, net, host, pass, seen: () => seen(host, network) };
}

/** What each of them says of the peer. */
async function seen({ agent, log }: TestHost, { clock }: TestNetwork) {
  const facts = { now: clock.now(), version: "1", proxy: undefined };
  const { text } = await probePage("/metrics", { agent, facts: () => Promise.resolve(facts) });
  await assertScrapable(text);
  const { problems } = statusOf(agent, { pid: 1, version: "1", store: "", now: clock.now() });
  const value = (name: string) => new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1];
  const ofPeer = (name: string) => value(`${name}\\{peer="${PEER}"\\}`);
  const problem = (code: string) => value(`flan_problems\\{code="${code}",severity="warning"\\}`);
  return {
    problems: problems.map(({ code, subject, severity }) => `${code} ${subject} ${severity}`),
    up: ofPeer("flan_peer_up"),
    rtt: ofPeer("flan_peer_rtt_seconds"),
    mtu: ofPeer("flan_path_mtu_bytes"),
    counted: [problem("peer-unreachable"), problem("path-mtu-hole")],
    line: statusLine(agent).split(", ").slice(3),
    log: log.lines.filter(({ fields }) => fields["subject"] === PEER).map(({ level, message }) =>
      `${level} ${message}`
    ),
  };
}

const isProbe = ({ from }: Passing) => from === "10.5.1.0";

Deno.test("watched peers: one that is well has metrics, and is nobody's problem", () =>
  watching(async ({ seen, pass }) => {
    await pass(3000);
    const { rtt, ...rest } = await seen();
    assert.ok(Number(rtt) > 0 && Number(rtt) < 1, rtt);
    assert.deepEqual(rest, { problems: [], up: "1", mtu: "1450", counted: ["0", "0"], line: [], log: [] });
  }));

Deno.test("watched peers: one that is silent is a problem within a minute, and well again when it answers", () =>
  watching(async ({ net, host, seen, pass }) => {
    await pass(3000);
    net.passes = () => false;
    await pass(60_000);
    const message = `Peer ${PEER} (192.0.2.2) answers neither probes nor ICMP echoes over the network`;
    assert.deepEqual(await seen(), {
      problems: [`peer-unreachable ${PEER} warning`],
      up: "0",
      rtt: undefined,
      mtu: "1450",
      counted: ["1", "0"],
      line: ["peer-unreachable"],
      log: [`warning ${message}`],
    });
    await pass(600_000);
    assert.equal((await seen()).log.length, 1, "it is told once");
    net.passes = () => true;
    await pass(40_000);
    const after = await seen();
    assert.deepEqual([after.problems, after.up, after.counted, after.line], [[], "1", ["0", "0"], []]);
    assert.deepEqual(after.log, [`warning ${message}`, `info Well again: ${PEER} (before: ${message})`]);
    assert.deepEqual(host.codes, []);
  }));

Deno.test("watched peers: a hole is named with both sizes, and goes when large packets pass again", () =>
  watching(async ({ net, seen, pass }) => {
    await pass(3000);
    net.passes = (packet) => !(isProbe(packet) && packet.size > 1399);
    await pass(60_000);
    const hole = await seen();
    assert.deepEqual([hole.problems, hole.up, hole.mtu], [[`path-mtu-hole ${PEER} warning`], "1", "1399"]);
    assert.deepEqual(hole.counted, ["0", "1"]);
    assert.deepEqual(hole.log, [
      `warning Packets of 1400 bytes or more from this host to ${PEER} (192.0.2.2) vanish without a word; ` +
      "1399 bytes get through",
    ]);
    net.passes = () => true;
    await pass(40_000);
    const after = await seen();
    assert.deepEqual([after.problems, after.mtu, after.counted], [[], "1450", ["0", "0"]]);
  }));

Deno.test("watched peers: the problem of a peer that leaves goes with it, its metrics too", () =>
  watching(async ({ network, net, seen, pass }) => {
    net.passes = () => false;
    await pass(60_000);
    assert.equal((await seen()).problems.length, 1);
    const { key, revision } = (await network.record(PEER))!;
    await network.store.remove(key, revision);
    await network.clock.turn();
    await pass(3000);
    const { problems, up, counted } = await seen();
    assert.deepEqual([problems, up, counted], [[], undefined, ["0", "0"]]);
  }));

Deno.test("readyz: goes to 503 when nobody answers any more, back with the first who does, and never for one peer", () =>
  watching(async ({ network, net, host, pass }) => {
    const readyz = async () => {
      const facts = () => Promise.reject(new Error("not asked for"));
      const { status, text } = await probePage("/readyz", { agent: host.agent, facts });
      return [status, text];
    };
    await pass(3000);
    net.passes = () => false;
    await pass(60_000);
    assert.deepEqual([host.codes, await readyz()], [["peer-unreachable"], [200, "ok\n"]], "it may be off");
    net.passes = () => true;
    net.addHost("10.5.3.0");
    await network.peer(3);
    await pass(40_000);
    assert.deepEqual([host.codes, await readyz()], [[], [200, "ok\n"]]);
    net.passes = () => false;
    await pass(60_000);
    assert.deepEqual(await readyz(), [503, "overlay-unreachable\n"]);
    const because = host.agent.health.list().map(({ code, because }) => `${code} ${because}`);
    assert.deepEqual(because, [
      "overlay-unreachable undefined",
      ...Array(2).fill("peer-unreachable overlay-unreachable"),
    ]);
    net.passes = ({ from, to }) => from === "10.5.3.0" || to === "10.5.3.0";
    await pass(40_000);
    assert.deepEqual([host.codes, await readyz()], [["peer-unreachable"], [200, "ok\n"]]);
  }));

/** Host 1 among three whose packets do not get through, and what `/readyz` says of it. */
async function muteNetwork(network: TestNetwork) {
  const net = new FakeProbeNet(network.clock);
  net.passes = () => false;
  for (const n of [2, 3, 4]) await network.peer(n);
  const host = network.host(1, { probes: { open: ({ address }) => net.open(address), port: 8473 } });
  const facts = () => Promise.reject(new Error("not asked for"));
  return {
    net,
    host,
    begin: async () => {
      await host.join();
      await host.run();
    },
    pass: async (ms: number) => {
      for (let gone = 0; gone < ms; gone += 100) await network.clock.advance(100);
    },
    readyz: async () => (await probePage("/readyz", { agent: host.agent, facts })).text,
  };
}

const OTHER_BOOT = "00000000-0000-4000-8000-000000000002";

Deno.test("readyz: a host that joins behind a blocked port is not ready", async () => {
  await using network = await TestNetwork.start();
  const { begin, pass, readyz } = await muteNetwork(network);
  await begin();
  await pass(60_000);
  assert.equal(await readyz(), "overlay-unreachable\n");
});

Deno.test("readyz: an agent that starts anew believes its peers to run", async () => {
  await using network = await TestNetwork.start();
  const { host, begin, pass, readyz } = await muteNetwork(network);
  await begin();
  await host.stop();
  await begin();
  await pass(60_000);
  assert.equal(await readyz(), "overlay-unreachable\n");
});

Deno.test("readyz: a host that left before it booted joins as for the first time", async () => {
  await using network = await TestNetwork.start();
  const { host, begin, pass, readyz } = await muteNetwork(network);
  await begin();
  await host.stop();
  await forgetNetworks(host.options.stateDir);
  host.bootId = OTHER_BOOT;
  await begin();
  await pass(60_000);
  assert.equal(await readyz(), "overlay-unreachable\n");
});

Deno.test("readyz: the first host that is back after a power cut is ready, and cut off where others are back and mute", async () => {
  await using network = await TestNetwork.start();
  const { net, host, begin, pass, readyz } = await muteNetwork(network);
  await begin();
  await host.stop();
  host.bootId = OTHER_BOOT;
  // As long as the store is away the attempts to join fail, and none of them counts.
  host.store.away = true;
  await assert.rejects(host.join());
  host.store.away = false;
  await begin();
  await pass(60_000);
  assert.deepEqual([host.codes, await readyz()], [Array(3).fill("peer-unreachable"), "ok\n"]);
  for (const n of [2, 3]) await network.peer(n);
  await pass(40_000);
  assert.equal(await readyz(), "overlay-unreachable\n");
  net.passes = () => true;
  net.addHost("10.5.2.0");
  await pass(40_000);
  assert.equal(await readyz(), "ok\n");
});
