/** The agent's probes in a dual-stack network: both families at once, neither of which knows of the other's trouble. */
import assert from "node:assert/strict";
import type { Judgement } from "../../../agent/health/health.ts";
import { halvesOf } from "../../../agent/probing/halves.ts";
import { ping } from "../../../agent/probing/ping.ts";
import { Probing } from "../../../agent/probing/probing.ts";
import { dualStack } from "../../../backends/dual.ts";
import { vxlan } from "../../../backends/vxlan.ts";
import { KernelError } from "../../../net/errors.ts";
import type { Agent } from "../../../agent/agent.ts";
import type { Remote } from "../../../probe/socket.ts";
import { FakeClock, letTimePass } from "../../lib/fake_clock.ts";
import { at, at6, FakeProbeNet, others } from "../../lib/fake_probes.ts";
import { lease, view } from "../../lib/overlay.ts";
import { dualHost, dualView } from "../../lib/stacks.ts";

const MTU = { 4: 1450, 6: 1430 };

/** Host 1 of a dual-stack network; host 2 measures too, and host 3 has IPv4 alone. */
function make() {
  const clock = new FakeClock();
  const net = new FakeProbeNet(clock);
  for (const n of [2, 3]) net.session(at(n), others(3, n), MTU[4]);
  net.session(at6(2), others(2, 2, at6), MTU[6]);
  const seen = dualView(view([2, 3]));
  const all = { ...seen, peers: [seen.peers[0]!, lease(3)] };
  const backend = dualStack(vxlan);
  const [config, own, host] = [all.network, all.own, dualHost()];
  const joined = { config, own, host, plan: backend.plan(all, host), devices: backend.devices(config) };
  const problems = new Map<string, Judgement["found"]>();
  const lab = {
    clock,
    net,
    halves: halvesOf(joined),
    open: ({ address }: Remote) => net.open(address),
    found: () => [...problems.values()].flat().map(({ code, subject }) => `${code} ${subject}`),
    pass: async (ms: number) => {
      for (let gone = 0; gone < ms; gone += 100) await clock.advance(100);
    },
    ask: (to?: string) => {
      const agent = { probing, state: { ...joined, backend } } as unknown as Pick<Agent, "probing" | "state">;
      return letTimePass(clock, ping(agent, { to }, () => 0));
    },
  };
  const probing = new Probing({
    open: (where) => lab.open(where),
    port: 8473,
    clock,
    toldMtu: () => Promise.resolve(0),
    judge: ({ codes, found }) => problems.set(codes.join(), found),
  });
  return Object.assign(lab, { probing });
}

function dualTest(name: string, body: (lab: ReturnType<typeof make>) => Promise<void>): void {
  Deno.test(`probing in dual stack: ${name}`, async () => {
    const lab = make();
    try {
      lab.probing.follow(lab.halves);
      await lab.pass(3000);
      await body(lab);
    } finally {
      const stopped = lab.probing.stop();
      await lab.pass(10_000);
      await stopped;
    }
  });
}

const isIpv6 = ({ to }: { to: string }) => to.includes(":");

dualTest("each half of each peer is watched, with its own MTU", ({ probing, found }) => {
  assert.deepEqual(
    [...probing.peers].map(([subnet, { isUp, mtu }]) => [subnet, isUp, mtu]),
    [["10.5.2.0/24", true, 1450], ["10.5.3.0/24", true, 1450], ["fd00:5:0:2::/64", true, 1430]],
  );
  assert.deepEqual(found(), []);
  return Promise.resolve();
});

dualTest(
  "a half that is lost or has a hole is told by its subnet, and the other one is well",
  async (lab) => {
    lab.net.passes = (packet) => !isIpv6(packet);
    await lab.pass(60_000);
    assert.deepEqual(lab.found(), ["peer-unreachable fd00:5:0:2::/64"]);
    lab.net.passes = (packet) => isIpv6(packet) || packet.to !== at(2) && packet.from !== at(2);
    await lab.pass(60_000);
    assert.deepEqual(lab.found(), ["peer-unreachable 10.5.2.0/24"]);
    lab.net.passes = (packet) => !isIpv6(packet) || packet.size <= 1300;
    await lab.pass(90_000);
    assert.deepEqual(lab.found(), ["path-mtu-hole fd00:5:0:2::/64"]);
  },
);

dualTest("a family that cannot be probed is told, and the other one goes on", async (lab) => {
  const { probing, halves } = lab;
  probing.follow(halves.map((half) => ({ ...half, own: undefined })));
  await lab.pass(3000);
  const { open } = lab;
  lab.open = (where) => {
    if (!where.address.includes(":")) return open(where);
    throw new KernelError("Cannot probe: taken", "EADDRINUSE", { op: "probe.open" });
  };
  probing.follow(halves);
  await lab.pass(3000);
  assert.deepEqual(lab.found(), ["probe-port [fd00:5:0:1::]:8473"]);
  assert.deepEqual([...probing.peers.keys()], ["10.5.2.0/24", "10.5.3.0/24"]);
  assert.deepEqual(await lab.ask(), { none: "off" }, "half of an answer would pass for all of it");
  assert.ok("items" in await lab.ask("10.5.2.9"));
});

dualTest("a family that the network has no more is probed and blamed no more", async (lab) => {
  lab.net.passes = (packet) => !isIpv6(packet);
  await lab.pass(60_000);
  lab.probing.follow(lab.halves.slice(0, 1));
  assert.deepEqual([lab.found(), [...lab.probing.peers.keys()]], [[], ["10.5.2.0/24", "10.5.3.0/24"]]);
  await lab.pass(3000);
  lab.net.sent.length = 0;
  await lab.pass(60_000);
  assert.deepEqual([lab.net.sent.length > 0, lab.net.sent.some(isIpv6)], [true, false]);
});

dualTest(
  "ping measures all pairs of each family; a name means both families, an address its own",
  async (lab) => {
    const pairs = async (to?: string) => {
      const answer = await lab.ask(to);
      assert.ok(!("none" in answer), to);
      assert.equal(answer.ok, true);
      assert.ok(answer.items.every(({ family, mtu }) => mtu === MTU[family === "ipv6" ? 6 : 4]));
      return Object.fromEntries(
        Map.groupBy(answer.items, ({ family }) => family).entries().map(([family, { length }]) => [
          family,
          length,
        ]),
      );
    };
    assert.deepEqual(await pairs(), { ipv4: 6, ipv6: 2 });
    assert.deepEqual(await pairs("node2"), { ipv4: 2, ipv6: 2 });
    assert.deepEqual(await pairs("node3"), { ipv4: 2 });
    assert.deepEqual(await pairs("10.5.2.0/24"), { ipv4: 2 });
    assert.deepEqual(await pairs("fd00:5:0:2::7"), { ipv6: 2 });
    assert.deepEqual(await lab.ask("fd00:5:0:1::7"), { none: "this-host" });
    assert.deepEqual(await lab.ask("fd00:5:0:3::7"), { none: "unknown-peer" });
  },
);
