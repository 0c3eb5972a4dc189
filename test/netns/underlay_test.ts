/** The link that carries the tunnel goes down, loses its address, or is another one: the host follows and keeps its subnet. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { must } from "../../cmd/demo/shell.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { hostGw, type Plane, planes } from "../lib/planes.ts";

interface Case {
  readonly name: string;
  readonly change: (hosts: Hosts, host: LabHost) => Promise<unknown>;
  /** The host's address on the underlay afterwards. */
  readonly address: string;
  /** The underlay's MTU afterwards. */
  readonly mtu: number;
}

const DEFAULT = "route add default via 192.0.2.254";

const cases: readonly Case[] = [
  {
    name: "goes down and comes up again",
    change: (hosts, host) => hosts.ip(host, "link set eth0 down", "link set eth0 up", DEFAULT),
    address: "192.0.2.2",
    mtu: 1500,
  },
  // Of the routes, which tell of all other changes too, nothing is heard here.
  {
    name: "gets a smaller MTU",
    change: (hosts, host) => hosts.ip(host, "link set eth0 mtu 1400"),
    address: "192.0.2.2",
    mtu: 1400,
  },
  {
    name: "gets another address and a still smaller MTU",
    change: (hosts, host) =>
      hosts.ip(
        host,
        "link set eth0 mtu 1300",
        "address flush dev eth0 scope global",
        "address add 192.0.2.33/24 dev eth0",
        DEFAULT,
      ),
    address: "192.0.2.33",
    mtu: 1300,
  },
  {
    name: "is deleted, and another one comes in its place",
    change: async (hosts, host) => {
      await hosts.ip(host, "link delete eth0");
      const lab = host.namespace.replace(/\d+$/, "net");
      await must([
        "ip",
        "-netns",
        lab,
        ..."link add p2 type veth peer name eth0 netns".split(" "),
        host.namespace,
      ]);
      await must(["ip", "-netns", lab, ..."link set p2 master br0 up".split(" ")]);
      await hosts.ip(host, "address add 192.0.2.44/24 dev eth0", "link set eth0 up", DEFAULT);
    },
    address: "192.0.2.44",
    mtu: 1500,
  },
];

for (const plane of [...planes, hostGw]) {
  const where = { lab: `under-${plane.backend}`, hosts: 2, plane };
  hostTest(`${plane.backend} follows its underlay, and the subnet stays`, where, async (hosts, t) => {
    const members = await hosts.joinAll() as [Member, Member];
    const [peer, victim] = members;
    const begun = victim.agent.err.lines.length;
    for (const { name, change, address, mtu } of cases) {
      await t.step(`the link ${name}`, async () => {
        const mark = peer.agent.err.lines.length;
        await change(hosts, victim.host);
        await victim.agent.err.until(`a lease of ${address}`, async () => {
          const lease = await leaseOf(hosts, victim.host);
          return lease.publicIp === address && lease.mtu === mtu - plane.overhead;
        });
        await answers(hosts, peer, victim);
        // Without a tunnel the answers need no route of the victim's.
        await answers(hosts, victim, peer);
        assert.equal((await leaseOf(hosts, victim.host)).subnet, victim.subnet);
        await hosts.allReach(members);
        if (plane.device !== "") {
          assert.equal(await deviceMtu(hosts, victim.host, plane), mtu - plane.overhead);
        }
        const env = Deno.readTextFileSync(`${victim.host.runDir}/subnet.env`);
        assert.match(env, new RegExp(`^FLANNEL_MTU=${mtu - plane.overhead}$`, "m"));
        assert.match(env, new RegExp(`^FLANNEL_SUBNET=${victim.container}/24$`, "m"));
        await hosts.isWell(victim.host);
        // Another address of a peer is no repair of this host's.
        assert.deepEqual(peer.agent.err.matching(/ Repaired /, mark), []);
      });
    }
    await t.step("events wake the agent", () => {
      const applied = victim.agent.err.matching(/Applied changes/, begun);
      const late = applied.filter((line) => /woken=\S*clock/.test(line));
      // A look by the clock may come at the very moment of a change. A deaf agent has no other ones.
      assert.ok(applied.length > 1 && late.length <= 1, applied.join("\n"));
    });
  });
}

hostTest(
  "a host without a DHCP lease stays as it is, and one whose cable is out goes where the default route leads",
  {
    lab: "lost",
    hosts: 1,
  },
  async (hosts, t) => {
    const host = hosts.at(1);
    const agent = await hosts.up(host);
    const announced = async () => (await leaseOf(hosts, host)).publicIp;

    await t.step("no DHCP lease", async () => {
      const mark = agent.err.lines.length;
      await hosts.ip(
        host,
        "route delete default",
        "address delete 192.0.2.1/24 dev eth0",
        "address add 169.254.7.7/16 dev eth0",
      );
      await agent.err.line(
        / is gone from link eth0, and there is no default route.*code=underlay-missing/,
        mark,
      );
      assert.equal(await announced(), "192.0.2.1");
      await hosts.ip(host, "address add 192.0.2.1/24 dev eth0", DEFAULT);
      await agent.err.line(/Well again: .*code=underlay-missing/, mark);
      assert.equal(await announced(), "192.0.2.1");
      await hosts.isWell(host);
      assert.equal(
        (await hosts.lab.flan(host, ["routes", "diff"])).code,
        0,
        "169.254.7.7 is the first by now",
      );
    });

    await t.step("no carrier", async () => {
      await hosts.ip(
        host,
        "link add eth1 type veth peer name other",
        "link set other up",
        "address add 198.51.100.1/24 dev eth1",
        "link set eth1 up",
        "route add default via 198.51.100.254 metric 100",
      );
      const net = host.namespace.replace(/\d+$/, "net");
      const cable = (state: string) => must(["ip", "-netns", net, ..."link set p1".split(" "), state]);
      await cable("down");
      await agent.err.until("an address on eth1", async () => await announced() === "198.51.100.1");
      await cable("up");
      await agent.end("SIGTERM");
      await hosts.up(host);
      assert.equal(await announced(), "198.51.100.1", "what is whole is left by nobody");
    });
  },
);

async function leaseOf(hosts: Hosts, host: LabHost) {
  const { stdout } = await hosts.lab.flan(host, ["lease", "get", "-o", "json"]);
  return JSON.parse(stdout) as { subnet: string; publicIp: string; mtu: number };
}

/** Pings until there is one answer. */
async function answers(hosts: Hosts, from: Member, to: Member): Promise<void> {
  const argv = ["ping", "-n", "-q", "-i", "0.1", "-c", "1", "-w", "90", to.container];
  const { code, stdout } = await hosts.lab.on(from.host, argv);
  assert.equal(code, 0, stdout);
}

async function deviceMtu(hosts: Hosts, host: LabHost, { device }: Plane): Promise<number> {
  const [link] = await hosts.show(host, "ip", `link show dev ${device}`);
  return Number(link!["mtu"]);
}
