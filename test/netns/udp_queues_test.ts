/** Several queues carry the same packets as one does: each has a socket and two threads, and all end and stay together. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { must } from "../../cmd/demo/shell.ts";
import { showProxy } from "../lib/ask_proxy.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { errorsCounted } from "../lib/plain_host.ts";
import { udp } from "../lib/planes.ts";
import { streamFile, type Transfer } from "../lib/stream.ts";
import { proxyOf } from "../lib/udp_members.ts";
import { until } from "../lib/until.ts";

const QUEUES = 4;
const STREAM_PORT = 7107;
const deno = [Deno.execPath(), "run", "--quiet", "--allow-net", streamFile];

/** What `ip` says of a host's TUN device. */
async function deviceOf(
  hosts: Hosts,
  host: LabHost,
): Promise<{ index: number; multi: boolean; queues: number }> {
  const [link] = await hosts.show(host, "ip", `-details link show dev ${udp.device}`);
  const { ifindex, linkinfo } = link as {
    ifindex: number;
    linkinfo: { info_data: { multi_queue: boolean; numqueues?: number } };
  };
  return { index: ifindex, multi: linkinfo.info_data.multi_queue, queues: linkinfo.info_data.numqueues ?? 1 };
}

/** How many sockets have the proxy's port on a host. */
async function socketsOn(hosts: Hosts, host: LabHost): Promise<number> {
  const shown = await must(hosts.lab.command(host, ["ss", "-Huan", "sport = 8285"]));
  return shown.trim().split("\n").length;
}

/**
 * How many threads of a process wait for one of two descriptors, without a limit, as the C library's do (`struct worker`)
 * and nobody else: by poll, or by ppoll where there is no poll (asm/unistd.h of x86-64 and of arm64).
 */
function threadsOf(pid: number): number {
  const waits = /^(7 0x\w+ 0x2 0xffffffff |73 0x\w+ 0x2 0x0 )/;
  return [...Deno.readDirSync(`/proc/${pid}/task`)]
    .filter(({ name }) => waits.test(Deno.readTextFileSync(`/proc/${pid}/task/${name}/syscall`))).length;
}

/** Waits until a member's proxy has so many queues, each with what belongs to it. */
async function hasQueues(hosts: Hosts, member: Member, queues: number): Promise<void> {
  const { pid, proxy, carrying } = await proxyOf(member);
  assert.deepEqual([proxy?.queues, carrying], [queues, true]);
  const device = await deviceOf(hosts, member.host);
  assert.deepEqual([device.multi, device.queues], [queues > 1, queues]);
  assert.equal(await socketsOn(hosts, member.host), queues);
  // One that has just been given a packet does not wait.
  await until(`${2 * queues} threads at rest`, () => Promise.resolve(threadsOf(pid) === 2 * queues));
}

/** Moves checksummed bytes by many connections at once, so that every queue has some. */
async function move(hosts: Hosts, from: Member, to: readonly Member[]): Promise<void> {
  await Promise.all(Array.from({ length: 4 }, async (_, seed) => {
    const argv = [...deno, "send", `${STREAM_PORT}`, "4", `${seed + 1}`, ...to.map((one) => one.container)];
    const { code, stdout, stderr } = await hosts.lab.on(from.host, ["timeout", "60", ...argv]);
    assert.equal(code, 0, stderr);
    for (const { sent, received } of JSON.parse(stdout) as Transfer[]) assert.equal(received, sent);
  }));
}

hostTest("four queues carry everything, and outlive agent and proxy", {
  lab: "queues",
  hosts: 3,
  plane: udp,
}, async (hosts, t) => {
  const all = await hosts.joinAll(["--backend-option", `Queues=${QUEUES}`]) as [Member, Member, Member];
  const [first, second, third] = all;
  await hosts.allReach(all);

  await t.step("each queue has a socket and two threads", async () => {
    for (const member of all) await hasQueues(hosts, member, QUEUES);
  });

  await t.step("what many connections carry at once arrives whole", async () => {
    for (const { host } of all) {
      await hosts.start(host, [...deno, "receive", `${STREAM_PORT}`]).out.line(/listening/);
    }
    await Promise.all([move(hosts, first, [second, third]), move(hosts, second, [third, first])]);
    for (const { host } of all) assert.deepEqual(await errorsCounted(hosts, host), []);
  });

  await t.step("an agent that starts again takes over what it finds", async () => {
    const before = [(await proxyOf(first)).pid, (await deviceOf(hosts, first.host)).index];
    await first.agent.end("SIGTERM");
    first.agent = await hosts.up(first.host);
    await hosts.knows(first, all);
    assert.deepEqual(first.agent.err.matching(/Repaired/), []);
    assert.deepEqual([(await proxyOf(first)).pid, (await deviceOf(hosts, first.host)).index], before);
    await hasQueues(hosts, first, QUEUES);
    await hosts.allReach(all);
  });

  await t.step("a proxy that comes after one that was killed has all of the device's queues", async () => {
    const { index } = await deviceOf(hosts, first.host);
    const mark = first.agent.err.lines.length;
    Deno.kill((await proxyOf(first)).pid, "SIGKILL");
    await first.agent.err.line(/Repaired proxy of flan0/, mark);
    assert.equal((await deviceOf(hosts, first.host)).index, index);
    await hasQueues(hosts, first, QUEUES);
    await hosts.allReach(all);
  });

  await t.step("a network that goes back to one queue has one everywhere", async () => {
    const { code, stderr } = await hosts.lab.flan(first.host, ["config", "set", "Backend.Queues", "1"]);
    assert.equal(code, 0, stderr);
    for (const member of all) {
      const isSingle = async () => {
        const shown = await showProxy(member.host);
        return shown?.proxy?.queues === 1 && shown.carrying && shown.routes.length === all.length - 1;
      };
      await until("one queue", isSingle);
      await hasQueues(hosts, member, 1);
    }
    await hosts.allReach(all);
    await hosts.isWell(first.host);
  });
});
