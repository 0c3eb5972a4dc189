/** The part `etcd`: hosts on a real etcd with many leases: reading it, what the agents weigh, and how soon they know of a change. */
import { Lab } from "../../cmd/demo/lab.ts";
import { must } from "../../cmd/demo/shell.ts";
import { print, table } from "../../cmd/output.ts";
import { on, SERVER, serverAddress } from "../lib/etcd_hosts.ts";
import { EtcdServer } from "../lib/etcd_server.ts";
import { memoryOf } from "./converge.ts";
import type { Listed } from "./etcd_client.ts";
import type { Latency } from "./latency.ts";

const HOSTS = 3;
const ROUNDS = 50;
const LEASES = [100, 10_000];

export interface EtcdFigures {
  readonly leases: number;
  readonly list: Listed;
  /** Largest resident memory of the agents, MB. */
  readonly rss: number;
  readonly latency: Latency;
  /** Requests that etcd was asked for a change: by the writer, and by all agents. */
  readonly requests: number;
}

/** Measures and prints. */
export async function measureEtcd(): Promise<EtcdFigures[]> {
  const found: EtcdFigures[] = [];
  for (const leases of LEASES) found.push(await etcd(leases));
  report(found);
  return found;
}

const names = "LEASES,LIST+PLAN,FIRST,READ,REQUESTS,AGENT,CHANGE,90 %,WORST,REQUESTS A CHANGE".split(",");

function report(found: readonly EtcdFigures[]): void {
  print(`\non etcd, with ${HOSTS} agents`);
  print(table(
    names,
    found.map(({ leases, list, rss, latency, requests }) => [
      String(leases),
      `${list.median} ms`,
      `${list.first} ms`,
      `${list.read} ms`,
      `${list.requests}, ${list.megabytes} MB`,
      `${rss} MB`,
      `${latency.median} ms`,
      `${latency.p90} ms`,
      `${latency.worst} ms`,
      String(requests),
    ]),
  ));
}

async function etcd(leases: number): Promise<EtcdFigures> {
  const store = `etcd://${serverAddress}:2379/coreos.com/network`;
  const lab = await Lab.create({ name: `flan-bench-${Deno.pid}`, hosts: HOSTS, store });
  try {
    const server = await lab.addServer(SERVER);
    await using _etcd = await EtcdServer.start(on(lab, server));
    // Only a program in the namespace can reach it.
    const client = async (work: "list" | "latency", count: number) => {
      const file = new URL("./etcd_client.ts", import.meta.url).pathname;
      const argv = [Deno.execPath(), "run", "--quiet", "--allow-all", "--no-check", file, work];
      const hosts = JSON.stringify({ store, hosts: lab.hosts });
      return JSON.parse(await must(lab.command(server, [...argv, String(count), hosts])));
    };
    const list = await client("list", leases) as Listed;
    for (const host of lab.hosts) {
      const { code, stderr } = await lab.flan(host, ["up", "--detach"]);
      if (code !== 0) throw new Error(stderr);
    }
    const measured = await client("latency", ROUNDS) as { latency: Latency; requests: number };
    return { leases, list, rss: Math.max(...lab.hosts.map(memoryOf)), ...measured };
  } finally {
    await lab.remove();
  }
}
