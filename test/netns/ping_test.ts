/** `flan ping` between hosts of a vxlan: all pairs, a direction that is cut, a hole, and a host without an agent. */
import assert from "node:assert/strict";
import { hostTest, type Member } from "../lib/hosts.ts";
import { drop, mend, nft, pairOf, ping, states } from "../lib/pinging.ts";

const OVERHEAD = 50;
const MOST = 1500 - OVERHEAD;

hostTest("ping over vxlan", { lab: "ping", hosts: 3, probes: true }, async (hosts, t) => {
  const [a, b, c] = await hosts.joinAll() as [Member, Member, Member];

  await t.step("all ordered pairs are well, with their times and the whole MTU", async () => {
    const { code, items, hosts: rows, ok } = await ping(hosts, a, "--all");
    assert.deepEqual([code, ok, items.length], [0, true, 6]);
    assert.deepEqual(states(items), Array(6).fill("ok udp"));
    assert.deepEqual(items.map(({ mtu }) => mtu), Array(6).fill(MOST));
    assert.ok(items.every(({ rttMs }) => rttMs!.min > 0 && rttMs!.max >= rttMs!.min));
    assert.deepEqual(rows.map(({ row }) => row), ["self", "measured", "measured"]);
  });

  await t.step("a direction that is cut is told from the other one, seen by a third host", async () => {
    await nft(hosts, b, drop(`ip saddr ${a.host.address}`));
    const { code, items } = await ping(hosts, c, "--all");
    await nft(hosts, b, mend);
    assert.equal(code, 3);
    assert.deepEqual([pairOf(items, a, b).state, pairOf(items, a, b).code], ["lost", "peer-unreachable"]);
    assert.equal(pairOf(items, b, a).state, "one-way");
    const others = items.filter(({ from, to }) => [from, to].includes(c.subnet));
    assert.deepEqual(states(others), Array(4).fill("ok udp"));
  });

  await t.step("a hole for large packets is named with both sizes, and in its direction only", async () => {
    const outer = 1400;
    await nft(hosts, b, drop(`ip saddr ${a.host.address} ip length > ${outer}`));
    const { code, items: [out, back] } = await ping(hosts, a, b.subnet);
    await nft(hosts, b, mend);
    assert.deepEqual([code, out!.state, out!.code], [3, "hole", "path-mtu-hole"]);
    assert.deepEqual([out!.mtu, out!.tooLarge], [outer - OVERHEAD, outer - OVERHEAD + 1]);
    assert.ok(out!.message!.startsWith("Packets of 1351 bytes or more from "), out!.message!);
    assert.ok(out!.message!.includes(` to ${b.subnet} (${b.host.address}) `), out!.message!);
    assert.deepEqual([back!.from, back!.state, back!.mtu], [b.subnet, "ok", MOST]);
  });

  await t.step(
    "a host whose agent is dead is reached by ICMP, its row is unknown, and that is a failure",
    async () => {
      await c.agent.end("SIGKILL");
      const { code, ok, items, hosts: rows } = await ping(hosts, a, "--all");
      assert.deepEqual([code, ok], [3, false]);
      assert.equal(rows.find(({ subnet }) => subnet === c.subnet)?.row, "silent");
      for (const from of [a, b]) {
        assert.deepEqual([pairOf(items, from, c).state, pairOf(items, from, c).how], ["ok", "icmp"]);
        assert.equal(pairOf(items, c, from).state, "unknown");
      }
    },
  );
});
