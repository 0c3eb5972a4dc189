/** What older kernels lack makes the proxy slower and nothing else: without any one of its features, and without all. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { flanCommand } from "../../cmd/self.ts";
import { proxyFeatures } from "../../ffi/proxy.ts";
import type { Json } from "../../net/json.ts";
import { askProxy, countersOf, showProxy } from "../lib/ask_proxy.ts";
import { datagramsFile, type Exchange } from "../lib/datagrams.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { errorsCounted } from "../lib/plain_host.ts";
import { udp } from "../lib/planes.ts";
import { streamFile, type Transfer } from "../lib/stream.ts";

const STREAM_PORT = 7107;
const ECHO_PORT = 7108;
const deno = [Deno.execPath(), "run", "--quiet", "--allow-net"];
/** Seconds: what is lost again and again must not keep the other tests from being told. */
const LIMIT = ["timeout", "60"];

/** What a proxy that may use `wanted` then says it uses. */
function usable(wanted: readonly string[]): string[] {
  return wanted.filter((name) => name !== "tun-uso" || wanted.includes("tun-offload"));
}

/** Puts another proxy in the place of a host's, with the same settings and routes. No agent may be there. */
async function exchangeProxy(hosts: Hosts, host: LabHost, features: readonly string[]): Promise<void> {
  const { proxy, routes } = await askProxy(host, { op: "show" }) as { proxy: Json; routes: Json };
  await askProxy(host, { op: "stop" });
  const run = flanCommand(["proxy", "run", "--verbose", "--features", features.join(",")]);
  await hosts.start(host, run).err.line(/waits for what it is to carry/);
  await askProxy(host, { op: "configure", proxy });
  await askProxy(host, { op: "change", put: routes, remove: [] });
  const shown = (await showProxy(host))!;
  assert.deepEqual([shown.carrying, shown.features], [true, usable(features)]);
}

async function run<T>(hosts: Hosts, from: LabHost, argv: readonly (string | number)[]): Promise<T> {
  const { code, stdout, stderr } = await hosts.lab.on(from, [...LIMIT, ...deno, ...argv.map(String)]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as T;
}

/** TCP both ways, UDP of many sizes, and fragments. */
async function everythingPasses(hosts: Hosts, [one, other]: readonly [Member, Member]): Promise<void> {
  for (const [from, to] of [[one, other], [other, one]] as const) {
    const [{ sent, received }] = await run<[Transfer]>(hosts, from.host, [
      ...[streamFile, "send", STREAM_PORT, 8, 1, to.container],
    ]);
    assert.equal(received, sent);
  }
  for (const sizes of [[0, 1444, 19], [1445, 65507, 12813]]) {
    const { sizes: count, unchanged, changed, missing } = await run<Exchange>(hosts, one.host, [
      ...[datagramsFile, "exchange", other.container, ECHO_PORT, ...sizes],
    ]);
    assert.deepEqual({ unchanged, changed, missing }, { unchanged: count, changed: [], missing: [] });
  }
  for (const { host } of [one, other]) assert.deepEqual(await errorsCounted(hosts, host), []);
}

/** Insists that what is left out shows: what a feature does for many packets at once is then done for each. */
async function isLeftOut(host: LabHost, features: readonly string[]): Promise<void> {
  const counters = await countersOf(host);
  const perPacket = (times: string, packets: string) => counters[times]! / counters[packets]!;
  if (!features.includes("udp-segment")) assert.equal(perPacket("out_messages", "out_packets"), 1);
  if (!features.includes("udp-gro")) assert.equal(perPacket("in_messages", "in_packets"), 1);
  if (!features.includes("tun-offload")) assert.equal(perPacket("out_reads", "out_packets"), 1);
  if (!features.includes("join-tcp") && !features.includes("join-udp")) {
    assert.equal(perPacket("in_writes", "in_packets"), 1);
  }
  if (features.length === proxyFeatures.length) {
    for (const [times, packets] of [["out_messages", "out_packets"], ["in_writes", "in_packets"]] as const) {
      assert.ok(perPacket(times, packets) < 0.5, `${times} is ${counters[times]} of ${counters[packets]}`);
    }
  }
}

hostTest("everything passes without any one feature, and without all", {
  lab: "features",
  hosts: 2,
  plane: udp,
}, async (hosts, t) => {
  const both = await hosts.joinAll() as [Member, Member];
  for (const { host, agent } of both) {
    await agent.end("SIGTERM");
    await hosts.start(host, [...deno, streamFile, "receive", `${STREAM_PORT}`]).out.line(/listening/);
    await hosts.start(host, [...deno, datagramsFile, "echo", `${ECHO_PORT}`]).out.line(/echoing/);
  }
  const cases: readonly [string, readonly string[]][] = [
    ["with all", proxyFeatures],
    ...proxyFeatures.map((left) =>
      [`without ${left}`, proxyFeatures.filter((one) => one !== left)] as [string, readonly string[]]
    ),
    ["with none", []],
  ];
  for (const [name, features] of cases) {
    await t.step(name, async () => {
      await Promise.all(both.map(({ host }) => exchangeProxy(hosts, host, features)));
      await everythingPasses(hosts, both);
      for (const { host } of both) await isLeftOut(host, features);
    });
  }
});
