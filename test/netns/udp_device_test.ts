/** A proxy outlives what happens to its device: it neither ends nor spins, and carries packets as soon as it can again. */
import assert from "node:assert/strict";
import { counted } from "../lib/ask_proxy.ts";
import { isIdle } from "../lib/cpu.ts";
import { hostTest, type Member } from "../lib/hosts.ts";
import { udp } from "../lib/planes.ts";
import { flood } from "../lib/programs.ts";
import { carried, members, proxyOf, withoutAgent } from "../lib/udp_members.ts";
import { until } from "../lib/until.ts";

hostTest(
  "a proxy whose device is deleted waits for another one, at rest",
  members(2, "tundel"),
  async (hosts) => {
    const both = await hosts.joinAll() as [Member, Member];
    const [victim, peer] = both;
    const before = await proxyOf(victim);
    for (const traffic of [false, true]) {
      const mark = victim.agent.err.lines.length;
      await withoutAgent(victim, async () => {
        const storm = traffic ? await flood(hosts, peer.host, carried(peer, victim)) : undefined;
        await hosts.ip(victim.host, `link delete ${udp.device}`);
        await until("it says why it carries nothing", async () => (await proxyOf(victim)).failure !== null);
        await storm?.end();
        const { pid, carrying, failure, routes } = await proxyOf(victim);
        assert.deepEqual([pid, carrying, routes], [before.pid, false, before.routes]);
        assert.match(failure!, /the device flan0 was deleted/);
        await isIdle(pid);
      });
      await victim.agent.err.line(/Repaired link flan0/, mark);
      await hosts.allReach(both);
    }
    assert.equal((await proxyOf(victim)).pid, before.pid, "the process is the same");
  },
);

hostTest(
  "a proxy whose device is down drops what comes in, and is at rest",
  members(2, "tundown"),
  async (hosts) => {
    const both = await hosts.joinAll() as [Member, Member];
    const [victim, peer] = both;
    const mark = victim.agent.err.lines.length;
    await withoutAgent(victim, async () => {
      await hosts.ip(victim.host, `link set ${udp.device} down`);
      const storm = await flood(hosts, peer.host, carried(peer, victim));
      await counted(victim.host, ({ in_drop_tun = 0 }) => in_drop_tun > 1000);
      await storm.end();
      await isIdle((await proxyOf(victim)).pid);
      assert.equal((await proxyOf(victim)).carrying, true);
    });
    await victim.agent.err.line(/Repaired /, mark);
    await hosts.allReach(both);
  },
);
