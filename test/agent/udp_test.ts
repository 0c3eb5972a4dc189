/** An agent in a udp network: it joins, keeps its proxy, and tells what befalls it. */
import assert from "node:assert/strict";
import { readHostState } from "../../agent/host_state.ts";
import { ownLease, statusOf } from "../../agent/status.ts";
import type { DumpRequest } from "../../kernel/kernel.ts";
import type { Proxy } from "../../kernel/state.ts";
import { FlanError, KernelError } from "../../net/errors.ts";
import { FakeKernel } from "../lib/fake_kernel.ts";
import {
  defaultRoute,
  type TestHost,
  TestNetwork,
  udpNetwork,
  udpPeer,
  underlayStack,
} from "../lib/agents.ts";

function proxyOf(host: TestHost): Proxy | undefined {
  const proxy = host.kernel.stack.objects.get("proxy flan0");
  return proxy?.kind === "proxy" ? proxy : undefined;
}

/** Everything of flan's in a udp network of this host and these peers. */
function expected(host: TestHost, ...peers: readonly { subnet: string }[]): string[] {
  return [
    `address ${host.subnet!.replace("/24", "/32")} dev flan0`,
    "link flan0",
    "proxy flan0",
    ...peers.map(({ subnet }) => `proxy route ${subnet} dev flan0`),
    "route 10.5.0.0/16 metric 0",
  ].sort();
}

Deno.test("udp: a host joins, announces what flannel's udp does, and follows its peers", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  assert.deepEqual((await network.record(host.subnet!))?.value, { PublicIP: "192.0.2.1", PublicIPv6: null });
  const [first, second] = [await network.peer(2, udpPeer), await network.peer(3, udpPeer)];
  assert.deepEqual([host.keys(), host.codes], [expected(host, first, second), []]);
  await network.remove(first.subnet);
  await network.clock.advance(60_000);
  assert.deepEqual(host.keys(), expected(host, second));
});

Deno.test("udp: no MAC is made up or kept for a device that has none", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  assert.equal(host.agent.state.host.mac, "");
  assert.deepEqual(readHostState(host.options.stateDir)?.macs, {});
});

Deno.test("udp: subnet.env and status tell of flan0 and its MTU", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  assert.match(host.subnetEnv, /^FLANNEL_MTU=1472$/m);
  const { device, mtu, backend, backendData } = ownLease({
    ...host.agent.state,
    lease: host.agent.state.own!,
  });
  assert.deepEqual([device, mtu, backend, backendData], ["flan0", 1472, "udp", null]);
  const status = statusOf(host.agent, {
    pid: 1,
    version: "0",
    store: host.store.url,
    now: network.clock.now(),
  });
  assert.deepEqual([status.backend, status.drift, status.problems], ["udp", 0, []]);
});

Deno.test("udp: a restart of the agent adopts the proxy and leaves it alone", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  const peer = await network.peer(2, udpPeer);
  await host.stop();
  host.kernel.attempted.length = 0;
  await host.join();
  assert.deepEqual([host.kernel.attempted, host.keys()], [[], expected(host, peer)]);
});

Deno.test("udp: a proxy that ends is started again at once with all its routes, told once with its cause", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  const peers = [await network.peer(2, udpPeer), await network.peer(3, udpPeer)];
  host.kernel.stack.delete(proxyOf(host)!);
  await network.clock.turn();
  assert.deepEqual([host.keys(), host.codes], [expected(host, ...peers), []]);
  const { fields, message } = host.log.lines.find(({ fields }) => fields["code"] === "repaired")!;
  assert.match(message, /^Repaired proxy of flan0 at 192\.0\.2\.1:8285, proxy route 10\.5\.\d+\.0\/24 to /);
  assert.deepEqual([fields["cause"], fields["objects"]], ["proxy of flan0 stopped", 3]);
});

Deno.test("udp: a proxy that stops carrying is set right, and keeps its routes", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  const peer = await network.peer(2, udpPeer);
  host.kernel.attempted.length = 0;
  host.kernel.stack.failProxy("flan0");
  await network.clock.turn();
  assert.equal(proxyOf(host)?.carrying, true);
  assert.deepEqual(host.kernel.attempted.map(({ verb, object }) => `${verb} ${object.kind}`), [
    "replace proxy",
  ]);
  assert.deepEqual(host.keys(), expected(host, peer));
  assert.equal(host.agent.repairs.last?.cause, "proxy of flan0 stopped");
});

Deno.test("udp: whoever deletes the device is named, and not the proxy that fails with it", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  const peer = await network.peer(2, udpPeer);
  host.kernel.stack.delete(host.kernel.stack.link("flan0")!);
  await network.clock.advance(1000);
  assert.deepEqual([host.keys(), proxyOf(host)?.carrying], [expected(host, peer), true]);
  assert.equal(host.agent.repairs.last?.cause, "link flan0 deleted");
});

Deno.test("udp: a proxy that cannot be started again is one problem until it can, and its routes come with it", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  const peers = [await network.peer(2, udpPeer), await network.peer(3, udpPeer)];
  host.kernel.failNext("add", "EADDRINUSE", { kind: "proxy", times: 7 });
  host.kernel.stack.delete(proxyOf(host)!);
  await network.clock.turn();
  const problems = host.agent.health.list();
  assert.deepEqual(problems.map(({ code, subject, severity }) => [code, subject, severity]), [
    ["proxy-down", "proxy of flan0 at 192.0.2.1:8285", "high"],
  ]);
  assert.match(
    problems[0]!.message,
    /proxy of flan0 at 192\.0\.2\.1:8285: Address already in use \(EADDRINUSE\)$/,
  );
  // Other things happen while it waits for its next attempt.
  peers.push(await network.peer(4, udpPeer));
  assert.deepEqual(host.codes, ["proxy-down"]);
  for (let i = 0; i < 600 && proxyOf(host) === undefined; i++) await network.clock.advance(100);
  assert.deepEqual([host.keys(), host.codes], [expected(host, ...peers), []]);
  assert.deepEqual(host.lines("proxy-down").map((line) => line.startsWith("Well again: ")), [false, true]);
  assert.deepEqual(host.lines("repaired").length, 0, "making it late is no repair");
});

Deno.test("udp: a route that the proxy refuses is its problem, and not the kernel's", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  host.kernel.failNext("add", "ENOMEM", { kind: "proxy-route", times: 5 });
  const peer = await network.peer(2, udpPeer);
  const [problem, ...others] = host.agent.health.list();
  assert.deepEqual([problem?.code, problem?.subject, others], [
    "proxy-down",
    `proxy route ${peer.subnet} to 192.0.2.2:8285`,
    [],
  ]);
  await network.clock.advance(60_000);
  assert.deepEqual([host.codes, host.keys()], [[], expected(host, peer)]);
});

Deno.test("udp: a port that is taken keeps a host from joining, with the proxy's own words", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = network.host(1);
  host.kernel.failNext("add", "EADDRINUSE", { kind: "proxy", times: 100 });
  await assert.rejects(host.join(), {
    message: "Cannot add proxy of flan0 at 192.0.2.1:8285: Address already in use (EADDRINUSE)",
  });
});

Deno.test("udp: another underlay address moves the proxy there", async () => {
  await using network = await TestNetwork.start(udpNetwork);
  const host = await network.joined(1);
  const address = { kind: "address", link: "eth0", address: "192.0.2.1/24" } as const;
  host.kernel.stack.add({ ...address, address: "192.0.2.77/24" });
  host.kernel.stack.delete(address);
  host.kernel.stack.add(defaultRoute);
  await network.clock.advance(2000);
  assert.deepEqual([proxyOf(host)?.address, host.codes], ["192.0.2.77", []]);
});

for (const feature of ["tun", "proxy"] as const) {
  Deno.test(`udp: a host without ${feature} does not join, and takes no lease`, async () => {
    await using network = await TestNetwork.start(udpNetwork);
    const host = network.host(1);
    host.kernel.lacks.add(feature);
    await assert.rejects(host.join(), {
      code: "unsupported",
      message: `Cannot use ${feature}: this host has none`,
    });
    assert.deepEqual([(await network.store.read()).records, host.kernel.attempted], [[], []]);
    host.kernel.lacks.clear();
    await host.join();
    assert.deepEqual(host.keys(), expected(host));
  });
}

const unanswered: readonly FlanError[] = [
  new FlanError("The UDP proxy at /run/flan/proxy.sock does not answer", { op: "control", code: "timeout" }),
  new KernelError("Cannot use the answer of the UDP proxy", "EPROTO", {
    op: "proxy.ask",
    code: "unsupported",
  }),
];

for (const error of unanswered) {
  Deno.test(`udp: what the proxy answers wrongly or not at all is its own problem: ${error.message}`, async () => {
    class Asking extends FakeKernel {
      hangs = false;

      override dump(request: DumpRequest) {
        return this.hangs ? Promise.reject(error) : super.dump(request);
      }
    }
    await using network = await TestNetwork.start(udpNetwork);
    const kernel = new Asking(underlayStack(1));
    const host = await network.joined(1, { kernel });
    kernel.hangs = true;
    await network.clock.advance(60_000);
    assert.ok(host.codes.includes("proxy-down") && !host.codes.includes("kernel-refuses"), host.codes.join());
    assert.deepEqual(host.lines("proxy-down"), [error.message]);
    kernel.hangs = false;
    await network.clock.advance(2 * 60_000);
    assert.deepEqual(host.codes, []);
  });
}
