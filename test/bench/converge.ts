/**
 * The part `converge`: time from the start of `flan up` to a converged kernel, with many peers in the store; and what
 * the agent then weighs.
 */
import { Lab, type LabHost } from "../../cmd/demo/lab.ts";
import { print, table } from "../../cmd/output.ts";
import { flanCommand } from "../../cmd/self.ts";
import { must } from "../../cmd/demo/shell.ts";
import type { Json } from "../../net/json.ts";
import { timed, timesIn } from "./timed.ts";

const PEERS = [100, 1000, 10_000];
const ROUNDS = 3;

export interface Converged {
  readonly peers: number;
  /** Seconds from the start of the process to its exit (`up --once`). */
  readonly real: number;
  readonly user: number;
  /** Seconds in the kernel: nearly all of it is the kernel doing what flan asks for. */
  readonly system: number;
  /** Resident memory of a running agent, MB. */
  readonly rss: number;
}

/** What has room for all of them. */
export const config = { Network: "10.0.0.0/8", SubnetLen: 24, Backend: { Type: "vxlan" } };

/** The lease of a host that exists in the store only; `i` is below 60,000. */
export function absentHost(i: number) {
  const hex = (n: number) => n.toString(16).padStart(2, "0");
  const [high, low] = [(i >> 8) + 1, i & 255];
  const value = {
    PublicIP: `198.18.${high}.${low || 256 - 1}`,
    PublicIPv6: null,
    BackendType: "vxlan",
    BackendData: { VNI: 1, VtepMAC: `02:00:00:01:${hex(high)}:${hex(low)}` },
  };
  return { key: `10.${high}.${low}.0-24`, node: i.toString(16).padStart(16, "0"), value };
}

/** A store's file with the leases of so many hosts that are not there. */
export function writeStore(path: string, peers: number, network: Json = config): void {
  const expires = Math.floor(Date.now() / 1000) + 86_400;
  const leases = Array.from({ length: peers }, (_, i) => {
    const { key, ...record } = absentHost(i);
    return [key, { revision: 2 + i, expires, ...record }] as const;
  });
  Deno.writeTextFileSync(
    path,
    JSON.stringify({
      schema: "flan.network/v1",
      revision: peers + 2,
      config: { revision: 1, value: network },
      leases: Object.fromEntries(leases),
      past: {},
    }),
  );
}

/** Measures and prints. */
export async function measureConvergence(): Promise<Converged[]> {
  const lab = await Lab.create({ name: `flan-bench-${Deno.pid}`, hosts: 1 });
  try {
    const results: Converged[] = [];
    for (const peers of PEERS) results.push(await medianOf(() => converge(lab, lab.hosts[0]!, peers)));
    report(results);
    return results;
  } finally {
    await lab.remove();
  }
}

/** The round with the middle time, so that one hiccup of the machine is not the figure. */
async function medianOf(work: () => Promise<Converged>): Promise<Converged> {
  const results: Converged[] = [];
  for (let i = 0; i < ROUNDS; i++) results.push(await work());
  return results.sort((a, b) => a.real - b.real)[ROUNDS >> 1]!;
}

function report(converged: readonly Converged[]): void {
  const seconds = (value: number) => `${value.toFixed(2)} s`;
  print("");
  print(table(
    ["PEERS", "CONVERGED", "USER", "SYSTEM", "AGENT"],
    converged.map(({ peers, real, user, system, rss }) => [
      String(peers),
      seconds(real),
      seconds(user),
      seconds(system),
      `${rss} MB`,
    ]),
  ));
}

async function converge(lab: Lab, host: LabHost, peers: number): Promise<Converged> {
  const file = `${lab.directory}/many-${peers}.json`;
  writeStore(file, peers);
  const store = ["--store", `file:${file}`];
  const { stderr, code } = await lab.on(host, timed(flanCommand(["up", "--once", "--quiet", ...store])));
  if (code !== 0) throw new Error(stderr);
  const { real, user, system } = timesIn(stderr);
  const routes =
    (await must(["ip", "-netns", host.namespace, "route", "show", "proto", "113"])).split("\n").filter(
      Boolean,
    ).length;
  if (routes !== peers) throw new Error(`${routes} routes for ${peers} peers`);
  const { code: joined, stderr: why } = await lab.flan(host, ["up", "--detach", ...store]);
  if (joined !== 0) throw new Error(why);
  const rss = memoryOf(host);
  await lab.flan(host, ["down"]);
  return { peers, real, user, system, rss };
}

/** Megabytes that the agent of a host has resident. */
export function memoryOf(host: LabHost): number {
  const pid = Deno.readTextFileSync(`${host.runDir}/agent.lock`).trim();
  const kilobytes = Number(/^VmRSS:\s+(\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]);
  return Math.round(kilobytes / 1024);
}
