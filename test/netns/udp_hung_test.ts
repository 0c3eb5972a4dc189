/** A proxy that hangs, or that nobody can reach any more, blinds no agent: it is replaced. */
import assert from "node:assert/strict";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { isGone, pidOf, ways } from "../lib/hung_proxy.ts";
import { udp, vxlan } from "../lib/planes.ts";

async function pair(hosts: Hosts): Promise<[Member, Member]> {
  await Promise.all(hosts.lab.hosts.map((host) => hosts.withoutIpv6(host)));
  return await hosts.joinAll() as [Member, Member];
}

for (const { name, lab, harm } of ways) {
  hostTest(`a running agent replaces a proxy that ${name}, and mends all else meanwhile`, {
    lab,
    hosts: 2,
    plane: udp,
  }, async (hosts) => {
    const both = await pair(hosts);
    const [{ host, agent }] = both;
    const pid = pidOf(host);
    const mark = agent.err.lines.length;
    harm(host, pid);
    await hosts.ip(host, `route delete ${udp.route("")}`);
    await agent.err.line(/Repaired proxy of flan0/, mark);
    await hosts.allReach(both);
    assert.notEqual(pidOf(host), pid);
    assert.ok(isGone(pid));
    await hosts.isWell(host);
    assert.deepEqual(agent.err.matching(/underlay-missing/, mark), []);
  });
}

hostTest("a network changes its backend beside a proxy that stands still", {
  lab: "hungsw",
  hosts: 2,
  plane: udp,
}, async (hosts) => {
  const both = await pair(hosts);
  const [{ host, agent }] = both;
  const pid = pidOf(host);
  const mark = agent.err.lines.length;
  Deno.kill(pid, "SIGSTOP");
  const { code, stderr } = await hosts.lab.flan(host, ["config", "set", "Backend.Type", vxlan.backend]);
  assert.equal(code, 0, stderr);
  for (const member of both) {
    await member.agent.err.until(
      `vxlan on ${member.host.namespace}`,
      async () => (await vxlan.reached(member.host)).some((route) => route !== udp.route("")),
    );
  }
  await hosts.allReach(both);
  await agent.err.until("the proxy has ended", () => Promise.resolve(isGone(pid)));
  assert.deepEqual(agent.err.matching(/underlay-missing/, mark), []);
});
