/** Measures an etcd from inside the namespace that it is in: `etcd_client.ts list|latency COUNT LAB`. */
import { systemClock } from "../../agent/clock.ts";
import { backendFor } from "../../backends/registry.ts";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { parseNetworkConfig } from "../../lease/network.ts";
import { openStore } from "../../lease/open.ts";
import { makeView } from "../../lease/view.ts";
import { silent } from "../../net/log.ts";
import { host } from "../lib/overlay.ts";
import { absentHost, config } from "./converge.ts";
import { latency } from "./latency.ts";

const ROUNDS = 5;
/** Writes at a time. */
const WRITERS = 64;

export interface Listed {
  /** Milliseconds to read everything and to plan a host's kernel from it. */
  readonly first: number;
  readonly median: number;
  /** Of these the reading alone. */
  readonly read: number;
  readonly requests: number;
  /** Megabytes that etcd sent. */
  readonly megabytes: number;
}

async function fill(url: string, leases: number): Promise<void> {
  const store = await openStore(url, { clock: systemClock, log: silent });
  await store.writeConfig(config, 0);
  let next = 0;
  const write = async () => {
    while (next < leases) await store.create({ ...absentHost(next++), ttl: 86_400 });
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
  store.close();
}

async function list(url: string): Promise<{ read: number; all: number }> {
  const store = await openStore(url, { clock: systemClock, log: silent });
  const begun = performance.now();
  const snapshot = await store.read();
  const read = performance.now() - begun;
  const network = parseNetworkConfig(snapshot.config!.value);
  const viewer = host({ node: absentHost(1).node });
  const view = makeView(snapshot, { ...viewer, network });
  const { peers } = backendFor(network.backendType).plan(view, viewer);
  const all = performance.now() - begun;
  store.close();
  if (peers.length !== snapshot.records.length - 1) throw new Error(`${peers.length} peers planned`);
  return { read, all };
}

/** Calls and bytes that etcd has answered so far, by its own count. */
async function answered(url: string): Promise<{ requests: number; bytes: number }> {
  const text = await (await fetch(`http://${new URL(url).host}/metrics`)).text();
  const sum = (name: string) =>
    text.split("\n").filter((line) => line.startsWith(name)).reduce(
      (all, line) => all + Number(line.split(" ").at(-1)),
      0,
    );
  return {
    requests: sum("grpc_server_started_total"),
    bytes: sum("etcd_network_client_grpc_sent_bytes_total"),
  };
}

const middle = (values: number[]) => Math.round(values.sort((a, b) => a - b)[values.length >> 1]!);

async function measureList(url: string, leases: number): Promise<Listed> {
  await fill(url, leases);
  const before = await answered(url);
  const first = await list(url);
  const after = await answered(url);
  const rounds = [first];
  for (let i = 1; i < ROUNDS; i++) rounds.push(await list(url));
  return {
    first: Math.round(first.all),
    median: middle(rounds.map(({ all }) => all)),
    read: middle(rounds.map(({ read }) => read)),
    requests: after.requests - before.requests,
    megabytes: Math.round((after.bytes - before.bytes) / 1e5) / 10,
  };
}

async function measureLatency(lab: { store: string; hosts: LabHost[] }, rounds: number) {
  const command = (
    one: LabHost,
    argv: readonly string[],
  ): [string, ...string[]] => ["ip", "netns", "exec", one.namespace, ...argv];
  const before = await answered(lab.store);
  const measured = await latency({ ...lab, command }, rounds);
  const after = await answered(lab.store);
  // Each round adds a lease and removes it.
  return { latency: measured, requests: Math.round((after.requests - before.requests) / rounds / 2) };
}

const [work, count, lab] = Deno.args as [string, string, string];
const given = JSON.parse(lab);
console.log(JSON.stringify(
  await (work === "list" ? measureList(given.store, Number(count)) : measureLatency(given, Number(count))),
));
