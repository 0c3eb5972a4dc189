/** A network without tunnels on a real link: repaired, kept through restarts and changes of the link, and taken away. */
import assert from "node:assert/strict";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { namespaceState } from "../lib/namespace_state.ts";
import { hostGw } from "../lib/planes.ts";
import { underTraffic } from "../lib/traffic.ts";

/** What somebody may do, whose consequences the agent must mend by itself. */
const deeds: readonly (readonly [name: string, ...lines: readonly string[]])[] = [
  ["the route is deleted", "route delete SUBNET"],
  ["the route leads elsewhere", "route replace SUBNET via 192.0.2.77 proto 113"],
  // These take the routes along without a word; the default route is the administrator's to put back.
  [
    "the link goes down and up",
    ...["link set eth0 down", "link set eth0 up", "route add default via 192.0.2.254"],
  ],
  [
    "the address goes and comes back",
    ...["address delete 192.0.2.1/24 dev eth0", "address add 192.0.2.1/24 dev eth0"],
    "route add default via 192.0.2.254",
  ],
];

hostTest(
  "host-gw lives through damage, a flapping link and restarts, and leaves nothing",
  { lab: "host-gw", hosts: 2, plane: hostGw },
  async (hosts, t) => {
    const [first] = hosts.lab.hosts;
    await hosts.withoutIpv6(first!);
    const before = await namespaceState(first!);
    const members = await hosts.joinAll() as [Member, Member];
    const [victim, peer] = members;
    await hosts.allReach(members);

    await t.step("a repair is told with its cause", async () => {
      const mark = victim.agent.err.lines.length;
      const pid = await hosts.ip(victim.host, `route delete ${peer.subnet}`);
      const line = await victim.agent.err.line(/Repaired route/, mark);
      assert.match(
        line,
        new RegExp(`Repaired route ${peer.subnet} via ${peer.host.address} dev eth0 .*cause=".*\\b${pid}\\b`),
      );
    });

    for (const [name, ...lines] of deeds) {
      await t.step(name, async () => {
        Deno.kill(victim.agent.pid, "SIGSTOP");
        await hosts.ip(victim.host, ...lines.map((line) => line.replace("SUBNET", peer.subnet)))
          .finally(() => Deno.kill(victim.agent.pid, "SIGCONT"));
        await routed(hosts, victim, { by: peer.host.address });
        await hosts.allReach(members);
      });
    }

    await t.step("routes name the underlay, and explain what is missing", async () => {
      const said = await hosts.lab.flan(victim.host, ["routes", "-o", "tsv"]);
      const row = [peer.subnet, peer.host.address, "eth0", "host-gw", "ok"].join("\t");
      assert.ok(said.stdout.split("\n").some((line) => line.startsWith(row)), said.stdout + said.stderr);
    });

    await t.step("no packet is lost while the agent is killed and starts again", async () => {
      const { sent, received } = await underTraffic(
        hosts,
        { from: victim.host, to: peer.container },
        async () => {
          await victim.agent.end("SIGKILL");
          victim.agent = await hosts.up(victim.host);
        },
      );
      assert.equal(received, sent);
    });

    await t.step("down leaves the namespace as it was", async () => {
      const { code, stdout, stderr } = await hosts.lab.flan(victim.host, ["down"]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^removed 1 route$/m);
      await hosts.ip(victim.host, "link delete cni0");
      assert.deepEqual(await namespaceState(victim.host), before);
    });
  },
);

/** Waits until the route to the other subnet goes by this address. */
async function routed(hosts: Hosts, { host, agent }: Member, { by }: { by: string }): Promise<void> {
  await agent.err.until(`a route by ${by}`, async () => {
    const shown = await hosts.show(host, "ip", "route show proto 113");
    return shown.length === 1 && shown[0]!["gateway"] === by && shown[0]!["dev"] === "eth0";
  });
}
