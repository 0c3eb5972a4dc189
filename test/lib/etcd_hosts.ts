/** Hosts that share a real etcd, which has a namespace of its own on their underlay. */
import assert from "node:assert/strict";
import { askAgent } from "../../agent/control.ts";
import { systemClock } from "../../agent/clock.ts";
import type { statusOf } from "../../agent/status.ts";
import { Lab, type LabHost } from "../../cmd/demo/lab.ts";
import { type EtcdOptions, EtcdServer } from "./etcd_server.ts";
import { Hosts, type Member } from "./hosts.ts";

/** IANA's port of etcd; nobody else is in its namespace. */
export const ETCD_PORT = 2379;

/** The last part of the server's address. */
export const ETCD_NUMBER = 240;

/** Leases as short as they may be, so that tests see them end. */
export const SHORT = ["--lease-ttl", "10s"] as const;
export const TTL_MS = 10_000;

export interface EtcdWorld {
  readonly hosts: Hosts;
  readonly etcd: EtcdServer;
  /** Where etcd runs. */
  readonly server: LabHost;
}

export interface EtcdLab {
  readonly lab: string;
  readonly hosts: number;
  readonly etcd?: EtcdOptions;
}

/** A test with hosts and an etcd, which are taken away at its end however it ends. */
export function etcdTest(
  name: string,
  { lab: id, hosts: count, etcd: options = {} }: EtcdLab,
  body: (world: EtcdWorld, t: Deno.TestContext) => Promise<void>,
): void {
  const ignore = Deno.uid() !== 0;
  Deno.test({
    name: ignore ? `${name} (needs root)` : name,
    ignore,
    fn: async (t) => {
      const store = `etcd${options.tls ? "s" : ""}://192.0.2.${ETCD_NUMBER}:${ETCD_PORT}/coreos.com/network`;
      const lab = await Lab.create({ name: `flan-t-${id}-${Deno.pid}`, hosts: count, store });
      const hosts = new Hosts(lab);
      try {
        const server = await lab.addServer(ETCD_NUMBER);
        await using etcd = await EtcdServer.start({ ...options, ...on(lab, server) });
        await body({ hosts, etcd, server }, t);
      } finally {
        await hosts.remove();
      }
    },
  });
}

/** What lets an {@link EtcdServer} run on a machine of a lab. */
export function on(lab: Lab, server: LabHost): EtcdOptions {
  return { within: lab.command(server, []), address: server.address, port: ETCD_PORT };
}

/** All hosts join with short leases; what comes later than a join (IPv6's own addresses) is kept away. */
export async function joinAll({ hosts }: EtcdWorld, args: readonly string[] = []): Promise<Member[]> {
  await Promise.all(hosts.lab.hosts.map((host) => hosts.withoutIpv6(host)));
  return await hosts.joinAll([...SHORT, ...args]);
}

/** What a running agent says of itself, without the work of starting flan for it. */
export async function statusIn({ host }: Member): Promise<ReturnType<typeof statusOf>> {
  const status = await askAgent(`${host.runDir}/agent.sock`, { op: "status", clock: systemClock });
  assert.ok(status, `no agent answers on ${host.namespace}`);
  return status as ReturnType<typeof statusOf>;
}

/** Codes of everything an agent finds wrong now. */
export async function codesIn(member: Member): Promise<string[]> {
  return (await statusIn(member)).problems.map(({ code }) => code);
}

/** Waits until the agent finds nothing wrong, and has the subnet that it had. */
export async function isWell(member: Member): Promise<void> {
  await member.agent.err.until("no problem", async () => (await codesIn(member)).length === 0);
  assert.equal((await statusIn(member)).lease?.subnet, member.subnet);
}

/** Seconds of processor time that a process has used: fields 14 and 15 of proc_pid_stat(5), in hundredths. */
export function processorTime(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
