/** The network outlives its agent: however it ends, no packet is lost, and the next one changes nothing. */
import assert from "node:assert/strict";
import { showProxy } from "../lib/ask_proxy.ts";
import { hostTest, type Member } from "../lib/hosts.ts";
import { KernelMonitor } from "../lib/kernel_monitor.ts";
import { namespaceState } from "../lib/namespace_state.ts";
import { planes, udp } from "../lib/planes.ts";
import { underTraffic } from "../lib/traffic.ts";

const signals = [["SIGKILL", "kill -9"], ["SIGTERM", "SIGTERM"]] as const;
const cases = planes.flatMap((plane) => signals.map(([signal, how]) => ({ plane, signal, how })));

for (const { plane, signal, how } of cases) {
  hostTest(
    `after ${how} traffic flows on, and the next agent adopts everything as it is, with ${plane.backend}`,
    { lab: `restart-${plane.backend}-${signal}`, hosts: 2, plane },
    async (hosts, t) => {
      await Promise.all(hosts.lab.hosts.map((host) => hosts.withoutIpv6(host)));
      const members = await hosts.joinAll() as [Member, Member];
      const [victim] = members;
      const monitor = await KernelMonitor.start(hosts, victim.host);
      const before = await namespaceState(victim.host);
      const proxy = await showProxy(victim.host);
      let subnet = "";

      await t.step("no packet is lost while it ends and starts again", async () => {
        const { sent, received } = await underTraffic(
          hosts,
          { from: victim.host, to: members[1].container },
          async () => {
            const status = await victim.agent.end(signal);
            assert.equal(status.code, signal === "SIGTERM" ? 143 : 137);
            victim.agent = await hosts.up(victim.host);
            subnet = await victim.agent.out.line(/^\d/);
          },
        );
        assert.ok(sent >= 20, `${sent} sent`);
        assert.equal(received, sent);
      });

      await t.step("the subnet, the MAC, the device, the proxy and all else are the same", async () => {
        assert.equal(subnet, victim.subnet);
        assert.deepEqual(await namespaceState(victim.host), before);
        assert.equal(proxy === undefined, plane !== udp);
        assert.deepEqual(await showProxy(victim.host), proxy);
      });

      await t.step("nothing of flan's was changed meanwhile", async () => {
        const ours = (await monitor.heard()).filter((line) => /flan\.1|flan0|proto 113/.test(line));
        assert.deepEqual(ours, []);
      });

      await t.step("the new agent repairs as the old one did", async () => {
        const mark = victim.agent.err.lines.length;
        await hosts.ip(victim.host, `route delete ${plane.route(members[1].subnet)}`);
        await victim.agent.err.line(/Repaired route/, mark);
        assert.match(
          (await monitor.heard()).join("\n"),
          new RegExp(plane.device),
          "the monitor hears what is done",
        );
      });
    },
  );
}

for (const plane of planes) {
  hostTest(
    `a peer that left while the agent was dead is forgotten at its start, with ${plane.backend}`,
    { lab: `stale-${plane.backend}`, hosts: 3, plane },
    async (hosts) => {
      const members = await hosts.joinAll() as [Member, Member, Member];
      const [victim, gone, stays] = members;
      await victim.agent.end("SIGKILL");
      assert.equal((await hosts.lab.flan(gone.host, ["down"])).code, 0);
      await hosts.knows(stays, [victim, stays]);

      victim.agent = await hosts.up(victim.host);

      const shown = JSON.stringify([
        await hosts.show(victim.host, "ip", "route show"),
        await hosts.show(victim.host, "ip", `neighbour show dev ${plane.device}`),
        await hosts.show(victim.host, "ip", "nexthop show"),
        await hosts.show(victim.host, "bridge", `fdb show dev ${plane.device}`),
        (await showProxy(victim.host))?.routes ?? [],
      ]);
      const gateway = gone.subnet.split("/")[0]!;
      assert.ok(!shown.includes(gateway) && !shown.includes(`"${gone.host.address}"`), shown);
      await hosts.allReach([victim, stays]);
    },
  );
}
