/** `flan ping` over the proxy of backend udp: all pairs, a hole, and a peer that is no flan host. */
import assert from "node:assert/strict";
import { hostTest, type Member } from "../lib/hosts.ts";
import { drop, nft, ping, states } from "../lib/pinging.ts";
import { leaseFor, PLAIN_SUBNET, startPlain } from "../lib/plain_host.ts";
import { udp } from "../lib/planes.ts";

const where = { plane: udp, probes: true };

hostTest("ping over udp", { lab: "ping-udp", hosts: 3, ...where }, async (hosts, t) => {
  const [a, b] = await hosts.joinAll() as [Member, Member, Member];

  await t.step("all ordered pairs are well, with the whole MTU", async () => {
    const { code, items } = await ping(hosts, a, "--all");
    assert.equal(code, 0);
    assert.deepEqual(states(items), Array(6).fill("ok udp"));
    assert.deepEqual(items.map(({ mtu }) => mtu), Array(6).fill(1500 - udp.overhead));
  });

  await t.step("a hole for large packets is named with both sizes", async () => {
    await nft(hosts, b, drop(`ip saddr ${a.host.address} ip length > 1400`));
    const { code, items: [out] } = await ping(hosts, a, b.subnet);
    assert.deepEqual([code, out!.code, out!.mtu, out!.tooLarge], [3, "path-mtu-hole", 1372, 1373]);
  });
});

hostTest("ping of a flannel host", { lab: "ping-plain", hosts: 2, ...where }, async (hosts, t) => {
  const member = await hosts.join(hosts.at(1));
  await leaseFor(hosts, hosts.at(2), { subnet: PLAIN_SUBNET });
  await startPlain(hosts, hosts.at(2), hosts.at(1));
  await member.agent.err.until("the peer", async () => (await udp.reached(member.host)).length === 1);

  await t.step("it is measured by ICMP echoes, and nobody can tell of the other direction", async () => {
    const { code, items: [out, back], hosts: rows } = await ping(hosts, member, PLAIN_SUBNET);
    assert.deepEqual([code, out!.state, out!.how, out!.mtu], [0, "ok", "icmp", 1500 - udp.overhead]);
    assert.deepEqual([back!.state, rows[1]!.row, rows[1]!.node], ["unknown", "no-flan", null]);
  });

  await t.step("the table says so", async () => {
    const { stdout } = await hosts.lab.flan(member.host, ["ping", "--all"]);
    assert.match(stdout, /^- icmp {2}10\.244\.77\.0\/24 was measured by ICMP echoes: it is no flan host$/m);
  });
});
