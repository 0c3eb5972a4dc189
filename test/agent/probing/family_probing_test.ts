/** The agent's probes follow its address, outlive what keeps them from it, and are one watch at any time. */
import assert from "node:assert/strict";
import type { Judgement } from "../../../agent/health/health.ts";
import { FamilyProbing, type ProbingParts } from "../../../agent/probing/family_probing.ts";
import type { Measurable } from "../../../agent/probing/targets.ts";
import { hostGw } from "../../../backends/host_gw.ts";
import { FlanError, KernelError } from "../../../net/errors.ts";
import type { Remote } from "../../../probe/socket.ts";
import { FakeClock } from "../../lib/fake_clock.ts";
import { FakeProbeNet } from "../../lib/fake_probes.ts";
import { host, lease, view } from "../../lib/overlay.ts";

const PORT = 8473;

/** Host 1 and its peers 2 and 3 without a device: they probe each other at their own addresses. */
function place(address: string | undefined): Measurable {
  const peer = (n: number) => lease(n, { backendType: "host-gw", backendData: undefined });
  const seen = view([peer(2), peer(3)]);
  const here = host();
  const plan = hostGw.plan(seen, here);
  assert.equal(plan.peers.length, 2);
  return {
    family: 4,
    isHalf: false,
    own: address === undefined ? undefined : seen.own,
    plan,
    host: { ...here, underlay: { ...here.underlay, address: address ?? "" } },
    device: "",
  };
}

async function probing(body: (lab: ReturnType<typeof make>) => Promise<void>) {
  const lab = make();
  try {
    await body(lab);
  } finally {
    const stopped = lab.probing.stop();
    await lab.pass(10_000);
    await stopped;
  }
}

function make() {
  const clock = new FakeClock();
  const net = new FakeProbeNet(clock);
  for (const n of [2, 3]) net.addHost(`192.0.2.${n}`);
  const opened: string[] = [];
  const asked: string[] = [];
  const problems = new Map<string, Judgement["found"]>();
  const lab = {
    clock,
    net,
    opened,
    /** From where to where the kernel was asked what it was told of the path. */
    asked,
    open: ({ address }: Remote) => net.open(address),
    codes: () => [...problems.values()].flatMap((found) => found.map(({ code }) => code)),
    messages: () => [...problems.values()].flatMap((found) => found.map(({ message }) => message)),
    pass: async (ms: number) => {
      for (let gone = 0; gone < ms; gone += 100) await clock.advance(100);
    },
    /** Who sent anything within five minutes, and how many packets. */
    senders: async () => {
      net.sent.length = 0;
      await lab.pass(300_000);
      const peers = ["192.0.2.2", "192.0.2.3"];
      const sent = net.sent.filter(({ from }) => !peers.includes(from));
      return Object.fromEntries(
        Map.groupBy(sent, ({ from }) => from).entries().map(([from, { length }]) => [from, length]),
      );
    },
  };
  const parts: ProbingParts = {
    open: (at) => {
      opened.push(at.address);
      return lab.open(at);
    },
    port: PORT,
    clock,
    toldMtu: (to, { source }) => {
      asked.push(`${source} to ${to}`);
      return Promise.resolve(0);
    },
    judge: ({ codes, found }) => problems.set(codes.join(), found),
  };
  return Object.assign(lab, { probing: new FamilyProbing(parts, { afterBoot: false }) });
}

Deno.test("probing: the socket follows the host's address, and one watch goes on from there", () =>
  probing(async ({ probing, opened, pass, senders }) => {
    probing.follow(place("192.0.2.1"));
    await pass(10_000);
    const before = await senders();
    assert.deepEqual(Object.keys(before), ["192.0.2.1"]);
    // Back and forth, and in the midst of a visit: what watched from there must not go on.
    for (const address of ["192.0.2.9", "192.0.2.1", "192.0.2.9"]) probing.follow(place(address));
    await pass(10_000);
    const after = await senders();
    assert.deepEqual(opened, ["192.0.2.1", "192.0.2.9", "192.0.2.1", "192.0.2.9"]);
    assert.deepEqual(Object.keys(after), ["192.0.2.9"]);
    assert.ok(after["192.0.2.9"]! <= before["192.0.2.1"]! * 1.3, JSON.stringify({ before, after }));
    assert.deepEqual([...probing.peers.values()].map(({ isUp }) => isUp), [true, true]);
  }));

Deno.test("probing: the same place again opens nothing, and one without a lease closes everything", () =>
  probing(async ({ probing, opened, senders }) => {
    probing.follow(place("192.0.2.1"));
    probing.follow(place("192.0.2.1"));
    assert.deepEqual(opened, ["192.0.2.1"]);
    probing.follow(place(undefined));
    assert.deepEqual(await senders(), {});
    assert.equal(await probing.survey([], { all: true }), undefined);
    assert.equal(probing.peers.size, 0);
  }));

Deno.test("probing: where a path is narrow the kernel is asked about packets from the probes' own address", () =>
  probing(async ({ probing, net, asked, pass }) => {
    net.passes = ({ size }) => size <= 1300;
    const here = place("192.0.2.1");
    probing.follow(here);
    const survey = probing.survey(here.plan.peers, { all: false });
    await pass(20_000);
    assert.notEqual(await survey, undefined);
    // The watch asks of its own accord, too, and as often as it likes.
    assert.deepEqual([...new Set(asked)].sort(), ["192.0.2.1 to 192.0.2.2", "192.0.2.1 to 192.0.2.3"]);
  }));

Deno.test("probing: a port that is taken is told, tried again with each turn, and over when it is free", () =>
  probing(async (lab) => {
    const { probing, codes, messages, opened } = lab;
    const { open } = lab;
    lab.open = () => {
      const message = "Cannot probe from 192.0.2.1:8473: Address already in use (EADDRINUSE)";
      throw new KernelError(message, "EADDRINUSE", { op: "probe.open" });
    };
    probing.follow(place("192.0.2.1"));
    assert.deepEqual(codes(), ["probe-port"]);
    assert.match(messages()[0]!, /Address already in use/);
    assert.deepEqual(await lab.senders(), {});
    lab.open = open;
    probing.follow(place("192.0.2.1"));
    assert.deepEqual([codes(), opened.length], [[], 2]);
    assert.deepEqual(Object.keys(await lab.senders()), ["192.0.2.1"]);
  }));

Deno.test("probing: an address that is gone is told in its own name, whatever was told of the port before", () =>
  probing((lab) => {
    const { probing, codes } = lab;
    const refuse = (errno: string) => () => {
      throw new KernelError(`Cannot probe: ${errno}`, errno, { op: "probe.open" });
    };
    lab.open = refuse("EADDRINUSE");
    probing.follow(place("192.0.2.1"));
    assert.deepEqual(codes(), ["probe-port"]);
    lab.open = refuse("EADDRNOTAVAIL");
    probing.follow(place("192.0.2.1"));
    assert.deepEqual(codes(), []);
    lab.open = refuse("EADDRINUSE");
    probing.follow(place("192.0.2.1"));
    probing.follow(place(undefined));
    assert.deepEqual(codes(), []);
    return Promise.resolve();
  }));

Deno.test("probing: a socket that cannot be waited for is told, blames no peer, and is opened anew", () =>
  probing(async (lab) => {
    const { probing, codes, opened, pass } = lab;
    const { open } = lab;
    lab.open = (at) => {
      const error = new FlanError("Cannot wait", { op: "readable", code: "failed" });
      return Object.assign(open(at), {
        receive: () => Promise.reject(error),
        sendDatagram: () => "EBADF",
        sendEcho: () => "EBADF",
      });
    };
    probing.follow(place("192.0.2.1"));
    await pass(60_000);
    assert.deepEqual(codes(), ["probe-port"]);
    lab.open = open;
    probing.follow(place("192.0.2.1"));
    await pass(3000);
    assert.deepEqual([codes(), opened.length], [[], 2]);
    assert.deepEqual([...probing.peers.values()].map(({ isUp }) => isUp), [true, true]);
  }));

Deno.test("probing: what is stopped stays closed", () =>
  probing(async ({ probing, opened, senders, pass }) => {
    probing.follow(place("192.0.2.1"));
    await pass(3000);
    const stopped = probing.stop();
    await pass(5000);
    await stopped;
    probing.follow(place("192.0.2.1"));
    assert.deepEqual([opened.length, await senders()], [1, {}]);
  }));
