/** A proxy that can send no more, because the underlay is slow, does all the rest: it receives, answers, and is at rest. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { must } from "../../cmd/demo/shell.ts";
import { counted, countedSince, countersOf } from "../lib/ask_proxy.ts";
import { isIdle } from "../lib/cpu.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { flood, sendRaw } from "../lib/programs.ts";
import { carried, droppedBy, echoRequest, members, proxyOf, withoutAgent } from "../lib/udp_members.ts";
import { until } from "../lib/until.ts";

/** So slow that the socket stays full for minutes. More fits this queue than fits the socket: the kernel drops nothing. */
const SLOW = "tbf rate 64kbit burst 32kbit limit 64mb";

/** Makes what leaves a member's host slow, without its noticing that it does not hear of neighbours any more. */
async function slowDown(hosts: Hosts, [member, peer]: readonly [Member, Member]): Promise<void> {
  await hosts.ip(member.host, `neighbour change ${peer.host.address} dev eth0 nud permanent`);
  await hosts.ip(peer.host, `neighbour change ${member.host.address} dev eth0 nud permanent`);
  await must(
    hosts.lab.command(member.host, ["tc", "qdisc", "add", "dev", "eth0", "root", ...SLOW.split(" ")]),
  );
}

/** Makes it fast again; what waits to be sent is lost. */
async function speedUp(hosts: Hosts, { host }: Member): Promise<void> {
  await must(hosts.lab.command(host, ["tc", "qdisc", "delete", "dev", "eth0", "root"]));
}

/**
 * Resolves when the send buffer of a host's proxy is full, and its device's queue is, too. A buffer that was full once has
 * no room for the proxy until half of it is sent (sock_writeable in the kernel's include/net/sock.h).
 */
async function isFull(hosts: Hosts, host: LabHost): Promise<void> {
  const before = await droppedBy(hosts, host);
  await until("the socket is full, and nothing is sent", async () => {
    const { out_packets: sent } = await countersOf(host);
    const shown = await must(hosts.lab.command(host, ["ss", "-Huanm", "sport = 8285"]));
    const [, used, most] = /skmem:.*\bt(\d+),tb(\d+)/.exec(shown) ?? [];
    return 2 * Number(used) > Number(most) && (await countersOf(host))["out_packets"] === sent;
  });
  await until("the queue is full", async () => await droppedBy(hosts, host) > before);
}

/** Insists that all reach all, as soon as what waits in the device's queue has made room. */
async function goesOn(hosts: Hosts, both: readonly [Member, Member]): Promise<void> {
  const [{ host }, { container }] = both;
  await until("the queue has room", async () => {
    return await hosts.lost(host, container, { count: 1, patience: 1 }) === 0;
  });
  await hosts.allReach(both);
}

/** Insists that packets from `from` still arrive at the proxy of `to`, which has no room for anything to send. */
async function takesFrom(hosts: Hosts, from: Member, to: Member): Promise<void> {
  const before = await countersOf(to.host);
  await sendRaw(hosts, from.host, Array.from({ length: 20 }, () => carried(from, to)));
  const arrived = (all: Readonly<Record<string, number>>) => countedSince(before, all)["in_packets"] ?? 0;
  await counted(to.host, (all) => arrived(all) >= 20);
}

hostTest(
  "a proxy whose socket is full still takes what comes, at rest, stops when it is told, and goes on when there is room",
  members(2, "full"),
  async (hosts) => {
    const both = await hosts.joinAll() as [Member, Member];
    const [victim, peer] = both;
    await hosts.allReach(both);
    const { pid } = await proxyOf(victim);
    await withoutAgent(victim, async () => {
      await slowDown(hosts, both);
      const storm = await flood(hosts, victim.host, echoRequest(victim, peer, 1400));
      await isFull(hosts, victim.host);
      await takesFrom(hosts, peer, victim);
      await isIdle(pid);
      const { out_packets: before = 0 } = await countersOf(victim.host);
      await speedUp(hosts, victim);
      await counted(victim.host, ({ out_packets = 0 }) => out_packets > before + 10_000);
      await storm.end();
    });
    assert.deepEqual(await proxyOf(victim).then((one) => [one.pid, one.carrying]), [pid, true]);
    await goesOn(hosts, both);

    const mark = victim.agent.err.lines.length;
    await withoutAgent(victim, async () => {
      await slowDown(hosts, both);
      const storm = await flood(hosts, victim.host, echoRequest(victim, peer, 1400));
      await isFull(hosts, victim.host);
      const { code, stdout, stderr } = await hosts.lab.flan(victim.host, ["proxy", "stop"]);
      assert.deepEqual([code, stdout], [0, `stopped the UDP proxy (process ${pid})\n`], stderr);
      // One that had to be killed could not say so.
      assert.match(Deno.readTextFileSync(`${victim.host.runDir}/proxy.log`), /The UDP proxy has stopped\n$/);
      await storm.end();
      await speedUp(hosts, victim);
    });
    await victim.agent.err.line(/Repaired proxy of flan0/, mark);
    await goesOn(hosts, both);
  },
);
