/** A network changes its backend under running agents, there and back, and leaves nothing of the other one. */
import assert from "node:assert/strict";
import { showProxy } from "../lib/ask_proxy.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { namespaceState } from "../lib/namespace_state.ts";
import { type Plane, udp, vxlan } from "../lib/planes.ts";

/** Waits until every member reaches the others by `plane`, and has nothing of `former` any more. */
async function changed(hosts: Hosts, members: readonly Member[], plane: Plane, former: Plane): Promise<void> {
  for (const member of members) {
    const others = members.filter((one) => one !== member).map(({ subnet }) => subnet).sort().join();
    await member.agent.err.until(`${plane.backend} on ${member.host.namespace}`, async () => {
      const links = (await hosts.show(member.host, "ip", "link show")).map((link) => link["ifname"]);
      return links.includes(plane.device) && !links.includes(former.device) &&
        [...await plane.reached(member.host)].sort().join() === others;
    });
    assert.equal(await showProxy(member.host) !== undefined, plane === udp);
  }
  await hosts.allReach(members);
}

hostTest("from vxlan to udp and back", { lab: "switch", hosts: 3 }, async (hosts, t) => {
  await Promise.all(hosts.lab.hosts.map((host) => hosts.withoutIpv6(host)));
  const members = await hosts.joinAll();
  const [first] = members as [Member];
  const before = await namespaceState(first.host, { indexes: false });

  for (const [plane, former] of [[udp, vxlan], [vxlan, udp]] as const) {
    await t.step(`to ${plane.backend}`, async () => {
      const { code, stderr } = await hosts.lab.flan(first.host, [
        "config",
        "set",
        "Backend.Type",
        plane.backend,
      ]);
      assert.equal(code, 0, stderr);
      await changed(hosts, members, plane, former);
      for (const { host } of members) await hosts.isWell(host);
    });
  }

  assert.deepEqual(await namespaceState(first.host, { indexes: false }), before);
});
