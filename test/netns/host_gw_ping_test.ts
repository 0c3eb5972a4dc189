/** `flan ping` where the underlay carries the packets as they are: from the hosts' own addresses, which may change. */
import assert from "node:assert/strict";
import { hostTest, type Member } from "../lib/hosts.ts";
import { drop, mend, nft, pairOf, ping, states } from "../lib/pinging.ts";
import { hostGw, vxlan } from "../lib/planes.ts";

hostTest(
  "ping over host-gw",
  { lab: "ping-gw", hosts: 2, plane: hostGw, probes: true },
  async (hosts, t) => {
    const members = await hosts.joinAll() as [Member, Member];
    const [a, b] = members;

    await t.step("both directions are well, with the underlay's whole MTU", async () => {
      const { code, items } = await ping(hosts, a, "--all");
      assert.deepEqual([code, states(items)], [0, ["ok udp", "ok udp"]]);
      assert.deepEqual(items.map(({ mtu }) => mtu), [1500, 1500]);
    });

    await t.step("a hole for large packets is named with both sizes", async () => {
      await nft(hosts, b, drop(`ip saddr ${a.host.address} ip length > 1400`));
      const { code, items } = await ping(hosts, a, b.subnet);
      await nft(hosts, b, mend);
      const { state, mtu, tooLarge } = pairOf(items, a, b);
      assert.deepEqual([code, state, mtu, tooLarge], [3, "hole", 1400, 1401]);
    });

    await t.step("a host that gets another address is measured from there", async () => {
      const moved = "192.0.2.77";
      await hosts.ip(
        b.host,
        `address delete ${b.host.address}/24 dev eth0`,
        `address add ${moved}/24 dev eth0`,
        "route add default via 192.0.2.254",
      );
      await a.agent.err.until(
        "a route to the new address",
        async () => (await hosts.show(a.host, "ip", "route")).some(({ gateway }) => gateway === moved),
      );
      await b.agent.err.until("all pairs well", async () => (await ping(hosts, b, "--all")).code === 0);
      const { items } = await ping(hosts, a, moved);
      assert.deepEqual(states(items), ["ok udp", "ok udp"]);
    });
  },
);

hostTest("ping over direct routes of a vxlan", {
  lab: "ping-direct",
  hosts: 2,
  plane: { ...vxlan, args: ["--backend-option", "DirectRouting=true"] },
  probes: true,
}, async (hosts) => {
  const [a] = await hosts.joinAll() as [Member, Member];
  const { code, items } = await ping(hosts, a, "--all");
  assert.deepEqual([code, states(items)], [0, ["ok udp", "ok udp"]]);
  // The device's: what goes back through the tunnel, when the link changes, must fit into it.
  assert.deepEqual(items.map(({ mtu }) => mtu), [1450, 1450]);
});
