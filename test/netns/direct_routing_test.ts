/** A vxlan network of which some hosts share a link: they speak directly, and all the others by the tunnel. */
import assert from "node:assert/strict";
import { must } from "../../cmd/demo/shell.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { type Plane, vxlan } from "../lib/planes.ts";
import { underTraffic } from "../lib/traffic.ts";

const plane: Plane = { ...vxlan, args: ["--backend", "vxlan", "--backend-option", "DirectRouting=true"] };

hostTest(
  "direct routing takes the plain route to a peer on the link and the tunnel to one behind a router",
  { lab: "direct", hosts: 3, plane },
  async (hosts, t) => {
    await behindRouter(hosts);
    const members = await hosts.joinAll() as [Member, Member, Member];
    const [first, near, far] = members;

    await t.step("each goes its way, and all reach all", async () => {
      assert.deepEqual(await way(hosts, first, near), [near.host.address, "eth0"]);
      assert.deepEqual((await way(hosts, first, far))[1], "flan.1");
      assert.deepEqual((await way(hosts, far, first))[1], "flan.1");
      await hosts.allReach(members);
    });

    await t.step("the MTU stays the tunnel's", () => {
      assert.match(Deno.readTextFileSync(`${first.host.runDir}/subnet.env`), /^FLANNEL_MTU=1450$/m);
    });

    await t.step("a peer goes behind a router and comes back, and no packet is lost", async () => {
      const traffic = { from: first.host, to: near.container };
      const { sent, received } = await underTraffic(hosts, traffic, async () => {
        const detour = `${near.host.address}/32 via 192.0.2.254`;
        await hosts.ip(first.host, `route add ${detour}`);
        await goes(hosts, { from: first, to: near }, "flan.1");
        await hosts.ip(first.host, `route delete ${detour}`);
        await goes(hosts, { from: first, to: near }, "eth0");
      });
      assert.equal(received, sent);
    });

    await t.step("flan routes tells the ways apart", async () => {
      const { stdout } = await hosts.lab.flan(first.host, ["routes", "-o", "tsv"]);
      const rows = stdout.split("\n").map((line) => line.split("\t"));
      const row = ({ subnet }: Member) => rows.find(([one]) => one === subnet)?.slice(2, 5);
      assert.deepEqual([row(near), row(far)], [["eth0", "direct", "ok"], ["flan.1", "vxlan", "ok"]]);
    });
  },
);

/** Puts the third host behind a router: the namespace in which the bridge of the others stands. */
async function behindRouter(hosts: Hosts): Promise<void> {
  const host = hosts.at(3);
  const router = host.namespace.replace(/\d+$/, "net");
  await must(["ip", "-netns", router, "link", "set", "p3", "nomaster"]);
  await must(["ip", "-netns", router, "address", "add", "198.51.100.254/24", "dev", "p3"]);
  await must(["ip", "netns", "exec", router, "sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1"]);
  await hosts.ip(
    host,
    "address flush dev eth0",
    "address add 198.51.100.3/24 dev eth0",
    "route add default via 198.51.100.254",
  );
}

/** Gateway and link of the route from one host to the other's subnet. */
async function way(hosts: Hosts, from: Member, to: Member): Promise<unknown[]> {
  const [route] = await hosts.show(from.host, "ip", `route show ${to.subnet}`);
  return [route?.["gateway"], route?.["dev"]];
}

async function goes(hosts: Hosts, { from, to }: { from: Member; to: Member }, link: string): Promise<void> {
  await from.agent.err.until(`a route over ${link}`, async () => (await way(hosts, from, to))[1] === link);
}
