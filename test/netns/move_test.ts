/** A living network moves from backend to backend, and nobody is out of touch for a second. */
import assert from "node:assert/strict";
import { showProxy } from "../lib/ask_proxy.ts";
import type { HostProcess } from "../lib/host_process.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { longestSilence } from "../lib/numbered_traffic.ts";
import { namespaceState } from "../lib/namespace_state.ts";
import { hostGw, type Plane, udp, vxlan, wireguard } from "../lib/planes.ts";

/** The longest silence that there may be, milliseconds. */
const LONGEST_MS = 1000;
const EVERY_MS = 20;

/** Pings among all pairs, from container to container. */
async function pings(hosts: Hosts, members: readonly Member[]): Promise<readonly HostProcess[]> {
  const flows = members.flatMap((from) =>
    members.filter((to) => to !== from).map((to) => {
      const argv = ["ping", "-n", "-D", "-i", `${EVERY_MS / 1000}`, "-I", from.container, to.container];
      return hosts.start(from.host, argv);
    })
  );
  await Promise.all(flows.map((flow) => flow.out.line(/icmp_seq=3 /)));
  return flows;
}

/** Waits until each reaches the others by `plane` alone and has nothing left of the others. */
async function moved(hosts: Hosts, members: readonly Member[], plane: Plane): Promise<void> {
  for (const member of members) {
    const others = members.filter((one) => one !== member).map(({ subnet }) => subnet).sort().join();
    await member.agent.err.until(`${plane.backend} alone on ${member.host.namespace}`, async () => {
      const links = (await hosts.show(member.host, "ip", "link show")).map((link) => String(link["ifname"]));
      return links.filter((name) => name.startsWith("flan")).join() === plane.device &&
        [...await plane.reached(member.host)].sort().join() === others;
    });
    assert.equal(await showProxy(member.host) !== undefined, plane === udp);
  }
}

hostTest(
  "no pair of hosts is out of touch for a second as the network moves to host-gw, udp, wireguard and back to vxlan",
  {
    lab: "move",
    hosts: 3,
  },
  async (hosts, t) => {
    await Promise.all(hosts.lab.hosts.map((host) => hosts.withoutIpv6(host)));
    const members = await hosts.joinAll();
    const [first] = members as [Member];
    const before = await namespaceState(first.host, { indexes: false });
    const flows = await pings(hosts, members);
    for (const plane of [hostGw, udp, wireguard, vxlan]) {
      // From wireguard on it takes encryption away.
      const change = ["config", "set", "backend", plane.backend, "--force"];
      const { code, stderr } = await hosts.lab.flan(first.host, change);
      assert.equal(code, 0, stderr);
      await moved(hosts, members, plane);
      for (const { host } of members) await hosts.isWell(host);
      await Promise.all(flows.map(({ out }) => out.line(/icmp_seq=/, out.lines.length)));
      const silence = Math.max(...flows.map(({ out }) => longestSilence(out.lines, { every: EVERY_MS })));
      await t.step(`to ${plane.backend}: ${silence} ms of silence at most`, () => {
        assert.ok(silence < LONGEST_MS, `${silence} ms`);
      });
    }
    await Promise.all(flows.map((flow) => flow.end("SIGINT")));
    assert.deepEqual(await namespaceState(first.host, { indexes: false }), before, "nothing is left");
  },
);
