/** What is wrong with the way to one peer is told and outlived: the proxy neither ends nor spins, and others notice nothing. */
import assert from "node:assert/strict";
import { counted, countersOf } from "../lib/ask_proxy.ts";
import { isIdle } from "../lib/cpu.ts";
import { hostTest, type Member } from "../lib/hosts.ts";
import { flood } from "../lib/programs.ts";
import { echoRequest, members, proxyOf, withoutAgent } from "../lib/udp_members.ts";

hostTest("a peer whose port is closed harms nobody else", members(3, "closed"), async (hosts) => {
  const all = await hosts.joinAll() as [Member, Member, Member];
  const [victim, gone, third] = all;
  await gone.agent.end("SIGKILL");
  Deno.kill((await proxyOf(gone)).pid, "SIGKILL");
  const storm = await flood(hosts, victim.host, echoRequest(victim, gone));
  await counted(victim.host, ({ out_packets = 0 }) => out_packets > 10_000);
  assert.equal(await hosts.lost(victim.host, third.container, { count: 5 }), 0);
  await storm.end();
  const { pid, carrying } = await proxyOf(victim);
  assert.equal(carrying, true);
  await isIdle(pid);
  gone.agent = await hosts.up(gone.host);
  await hosts.knows(gone, all);
  await hosts.allReach(all);
});

hostTest(
  "a host without a way to its peers tells senders, and goes on when there is one",
  members(2, "noway"),
  async (hosts) => {
    const both = await hosts.joinAll() as [Member, Member];
    const [victim, peer] = both;
    await withoutAgent(victim, async () => {
      await hosts.ip(victim.host, "route add unreachable 192.0.2.2/32");
      const { stdout } = await hosts.lab.on(victim.host, [
        "ping",
        "-n",
        "-c",
        "2",
        "-i",
        "0.1",
        "-W",
        "1",
        peer.container,
      ]);
      assert.match(stdout, /From 10\.244\.\d+\.0 icmp_seq=1 Destination Host Unreachable/);
      assert.ok((await countersOf(victim.host))["out_drop_unreachable"]! >= 1);
      const { pid, carrying } = await proxyOf(victim);
      assert.equal(carrying, true);
      await isIdle(pid);
      await hosts.ip(victim.host, "route delete unreachable 192.0.2.2/32");
    });
    await hosts.allReach(both);
  },
);
