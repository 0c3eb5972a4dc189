/** Hosts that share a real etcd, which has a namespace of its own on their underlay. */
import assert from "node:assert/strict";
import { askAgent } from "../../agent/control.ts";
import { systemClock } from "../../agent/clock.ts";
import type { statusOf } from "../../agent/status.ts";
import type { Lab, LabHost } from "../../cmd/demo/lab.ts";
import { type EtcdOptions, EtcdServer } from "./etcd_server.ts";
import { type Hosts, hostTest, type Member } from "./hosts.ts";

/** IANA's port of etcd; nobody else is in its namespace. */
export const ETCD_PORT = 2379;

/** A store's machine: the last part of its address, and all of it. */
export const SERVER = 240;
export const serverAddress = `192.0.2.${SERVER}`;

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
  { lab, hosts: count, etcd: options = {} }: EtcdLab,
  body: (world: EtcdWorld, t: Deno.TestContext) => Promise<void>,
): void {
  const store = `etcd${options.tls ? "s" : ""}://${serverAddress}:${ETCD_PORT}/coreos.com/network`;
  hostTest(name, { lab, hosts: count, store }, async (hosts, t) => {
    const server = await hosts.lab.addServer(SERVER);
    await using etcd = await EtcdServer.start({ ...options, ...on(hosts.lab, server) });
    await body({ hosts, etcd, server }, t);
  });
}

/** What lets an {@link EtcdServer} run on a machine of a lab. */
export function on(lab: Lab, server: LabHost): EtcdOptions {
  return { within: lab.command(server, []), address: server.address, port: ETCD_PORT };
}

/** All hosts join with short leases; what comes later than a join (IPv6's own addresses) is kept away. */
export async function joinAll(
  { hosts }: Pick<EtcdWorld, "hosts">,
  args: readonly string[] = [],
): Promise<Member[]> {
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
