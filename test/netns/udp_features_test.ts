/** What older kernels lack makes the proxy slower and nothing else: without any one of its features, and without all. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { flanCommand } from "../../cmd/self.ts";
import { proxyFeatures } from "../../ffi/proxy.ts";
import type { Json } from "../../net/json.ts";
import { askProxy, countedSince, countersOf, showProxy } from "../lib/ask_proxy.ts";
import { datagramsFile, type Exchange } from "../lib/datagrams.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { errorsCounted } from "../lib/plain_host.ts";
import { udp } from "../lib/planes.ts";
import { program } from "../lib/programs.ts";
import { streamFile, type Transfer } from "../lib/stream.ts";

const STREAM_PORT = 7107;
const ECHO_PORT = 7108;
/** Bytes of a datagram, datagrams at once, and how often. */
const BURSTS = ["1000", "40", "20"];
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

type Counts = Readonly<Record<string, number>>;

/** What the proxies of both hosts have counted while each kind of traffic passed. */
interface Passed {
  readonly tcp: readonly Counts[];
  /** Of bursts that the first host sent, and their echo. */
  readonly bursts: readonly Counts[];
  /** From the first packet to the last, of every kind. */
  readonly all: readonly Counts[];
}

async function countedWhile(members: readonly Member[], body: () => Promise<void>): Promise<Counts[]> {
  const before = await Promise.all(members.map(({ host }) => countersOf(host)));
  await body();
  return await Promise.all(
    members.map(async ({ host }, i) => countedSince(before[i]!, await countersOf(host))),
  );
}

/** TCP both ways, datagrams that are sent many at once, UDP of many sizes, and fragments. */
async function everythingPasses(hosts: Hosts, both: readonly [Member, Member]): Promise<Passed> {
  const [one, other] = both;
  let tcp: readonly Counts[] = [], bursts: readonly Counts[] = [];
  const all = await countedWhile(both, async () => {
    tcp = await countedWhile(both, async () => {
      for (const [from, to] of [[one, other], [other, one]] as const) {
        const [{ sent, received }] = await run<[Transfer]>(hosts, from.host, [
          ...[streamFile, "send", STREAM_PORT, 8, 1, to.container],
        ]);
        assert.equal(received, sent);
      }
    });
    bursts = await countedWhile(both, async () => {
      const argv = [await program(hosts, "datagram_bursts"), other.container, `${ECHO_PORT}`, ...BURSTS];
      const { code, stderr } = await hosts.lab.on(one.host, [...LIMIT, ...argv]);
      assert.equal(code, 0, stderr);
    });
    for (const sizes of [[0, 1444, 19], [1445, 65507, 12813]]) {
      const { sizes: count, unchanged, changed, missing } = await run<Exchange>(hosts, one.host, [
        ...[datagramsFile, "exchange", other.container, ECHO_PORT, ...sizes],
      ]);
      assert.deepEqual({ unchanged, changed, missing }, { unchanged: count, changed: [], missing: [] });
    }
  });
  for (const { host } of both) assert.deepEqual(await errorsCounted(hosts, host), []);
  return { tcp, bursts, all };
}

/** Insists that what is left out shows: what a feature does for many packets at once is then done for each. */
function isLeftOut({ tcp, bursts, all }: Passed, features: readonly string[]): void {
  const has = (name: string) => usable(features).includes(name);
  const [sent, received] = bursts as [Counts, Counts];
  const singly = (counters: Counts, times: string, packets: string) =>
    assert.equal(counters[times], counters[packets], `${times} is ${packets}`);
  const together = (counters: Counts, times: string, packets: string) =>
    assert.ok(
      counters[times]! / counters[packets]! < 0.5,
      `${times} is ${counters[times]} of ${counters[packets]}`,
    );
  for (const [i, counters] of all.entries()) {
    if (!has("udp-segment")) singly(counters, "out_messages", "out_packets");
    if (!has("udp-gro")) singly(counters, "in_messages", "in_packets");
    if (!has("tun-offload")) singly(counters, "out_reads", "out_packets");
    if (!has("join-tcp")) singly(tcp[i]!, "in_writes", "in_packets");
  }
  if (!has("tun-uso")) singly(sent, "out_reads", "out_packets");
  if (!has("join-udp")) singly(received, "in_writes", "in_packets");
  if (features.length < proxyFeatures.length) return;
  for (const counters of [...all, ...tcp, sent]) together(counters, "out_messages", "out_packets");
  for (const counters of [...all, ...tcp, received]) together(counters, "in_writes", "in_packets");
  together(sent, "out_reads", "out_packets");
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
      isLeftOut(await everythingPasses(hosts, both), features);
    });
  }
});
