/** Three hosts on a real kernel with IPv6, beside IPv4 and alone: everything reaches everything, whole, and at full size. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { gatewayOf } from "../../agent/subnet_env.ts";
import { type Family, familyOf } from "../../net/ip.ts";
import type { HostProcess } from "../lib/host_process.ts";
import { type Hosts, hostTest } from "../lib/hosts.ts";
import { drop, mend, nft, ping, states } from "../lib/pinging.ts";
import { until } from "../lib/until.ts";
import { streamFile, type Transfer } from "../lib/stream.ts";

const PORT = 7106;
const MEBIBYTES = 20;
const stream = [Deno.execPath(), "run", "--quiet", "--allow-net", streamFile];

/** Of an echo request: the IP header and ICMP's (RFC 791, 792, 8200, 4443). */
const HEADERS: Readonly<Record<Family, number>> = { 4: 28, 6: 48 };

interface Case {
  readonly name: string;
  readonly args: readonly string[];
  /** What fits the overlay of each family over an underlay of 1500. */
  readonly mtu: Partial<Record<Family, number>>;
  /** Words for `ip` that take addresses, routes and sysctls of IPv6 along. */
  readonly deeds: readonly string[];
  /** Routes of IPv6 in the kernel, where they are not one for each peer. */
  readonly routes?: number;
}

const NETWORK6 = ["--network6", "fd00:10:244::/48"];
const cases: readonly Case[] = [
  {
    name: "vxlan-dual",
    args: ["--network", "10.244.0.0/16", ...NETWORK6],
    mtu: { 4: 1450, 6: 1430 },
    deeds: [
      "link set flan-v6.1 down; link set flan-v6.1 up",
      // Less than IPv6 needs (RFC 8200): the kernel takes it off the link.
      "link set flan-v6.1 mtu 1200",
      "link delete flan-v6.1",
    ],
  },
  {
    name: "udp-dual",
    args: ["--backend", "udp", "--network", "10.244.0.0/16", ...NETWORK6],
    mtu: { 4: 1472, 6: 1452 },
    deeds: ["link set flan6-0 down; link set flan6-0 up", "link delete flan6-0"],
    routes: 1,
  },
  {
    name: "udp-ipv6",
    args: ["--backend", "udp", ...NETWORK6],
    mtu: { 6: 1452 },
    deeds: [],
    routes: 1,
  },
  { name: "host-gw-ipv6", args: ["--backend", "host-gw", ...NETWORK6], mtu: { 6: 1500 }, deeds: [] },
];

/** A host that has joined, with an address of its bridge for each family. */
interface Member {
  readonly host: LabHost;
  readonly agent: HostProcess;
  readonly containers: readonly string[];
}

for (const { name, args, mtu, deeds, routes } of cases) {
  hostTest(
    `three hosts reach one another fully by ${name}`,
    { lab: name, hosts: 3, probes: true },
    async (hosts, t) => {
      const members = await joined(hosts, args, routes);
      const ways = members.flatMap((from) =>
        members.filter((to) => to !== from).flatMap((to) =>
          to.containers.map((address) => ({ from: from.host, address }))
        )
      );
      assert.equal(ways.length, 6 * Object.keys(mtu).length);

      // One route in the kernel does not say what the proxy knows by now.
      await Promise.all(
        ways.map(({ from, address }) =>
          until(
            `${from.namespace} reaches ${address}`,
            async () => await hosts.lost(from, address, { count: 1, patience: 1 }) === 0,
          )
        ),
      );

      await t.step("every host pings every other host's container, by each family", async () => {
        await Promise.all(ways.map(async ({ from, address }) => {
          assert.equal(await hosts.lost(from, address), 0, `${from.namespace} does not reach ${address}`);
        }));
      });

      await t.step("a packet of the overlay's MTU passes undivided, one byte more is too long", async () => {
        await Promise.all(ways.map(async ({ from, address }) => {
          const family = familyOf(address);
          const echo = (bytes: number) => {
            const size = `${bytes - HEADERS[family]}`;
            return hosts.lab.on(from, ["ping", "-n", "-c", "1", "-W", "2", "-M", "do", "-s", size, address]);
          };
          const fits = await echo(mtu[family]!);
          assert.equal(fits.code, 0, `${from.namespace} to ${address}: ${fits.stdout}`);
          const more = await echo(mtu[family]! + 1);
          assert.notEqual(more.code, 0);
          assert.match(more.stdout + more.stderr, /message too long/i);
        }));
      });

      await t.step(`${MEBIBYTES} MiB arrive whole, by each family`, async () => {
        const [one, two] = members as [Member, Member];
        await hosts.start(two.host, [...stream, "receive", String(PORT), "::"]).out.line(/^listening$/);
        const argv = [...stream, "send", PORT, MEBIBYTES, 1, ...two.containers].map(String);
        const { code, stdout, stderr } = await hosts.lab.on(one.host, argv);
        assert.equal(code, 0, stderr);
        const transfers: Transfer[] = JSON.parse(stdout);
        assert.equal(transfers.length, two.containers.length);
        for (const { address, sent, received } of transfers) assert.equal(received, sent, `to ${address}`);
      });

      await t.step("flan ping measures each family for itself, with its whole MTU", async () => {
        const [one, two] = members as [Member, Member];
        const { code, items } = await ping(hosts, one, "--all");
        assert.equal(code, 0, JSON.stringify(items));
        const families = Object.entries(mtu);
        assert.deepEqual(states(items), Array(6 * families.length).fill("ok udp"));
        assert.deepEqual(
          items.map((item) => [item.family, item.mtu]),
          families.flatMap(([family, largest]) => Array(6).fill([`ipv${family}`, largest])),
        );
        const outer = mtu[6]! - 100;
        await nft(hosts, two, drop(`meta length > ${outer}`));
        const named = await ping(hosts, one, two.containers.at(-1)!);
        await nft(hosts, two, mend);
        assert.deepEqual(named.items.map(({ family, state }) => `${family} ${state}`), [
          "ipv6 hole",
          "ipv6 ok",
        ]);
      });

      await t.step("routes explain follows a packet, and somebody's deed is found and mended", async () => {
        const [one, two] = members as [Member, Member];
        const address = two.containers.at(-1)!;
        const explained = await hosts.lab.flan(one.host, ["routes", "explain", address]);
        assert.equal(explained.code, 0, explained.stdout + explained.stderr);
        for (const deed of ["-6 route flush proto 113", ...deeds]) {
          const done = await hosts.lab.on(one.host, ["sh", "-c", `ip ${deed.replaceAll("; ", "; ip ")}`]);
          assert.equal(done.code, 0, done.stderr);
          await until(
            `${address} after ${deed}`,
            async () => await hosts.lost(one.host, address, { count: 1, patience: 1 }) === 0,
          );
        }
        const status = await hosts.status(one.host);
        assert.deepEqual(status, { code: 0, problems: [] });
      });

      await t.step("a host whose agent is dead is reached by echoes of each family", async () => {
        const [one, , three] = members as [Member, Member, Member];
        await three.agent.end("SIGKILL");
        for (const address of three.containers) {
          const { items, hosts: rows } = await ping(hosts, one, address);
          assert.deepEqual([states(items), rows.map(({ row }) => row)], [["ok icmp", "unknown null"], [
            "self",
            "silent",
          ]]);
        }
      });

      await t.step("down leaves nothing behind", async () => {
        const [one] = members as [Member];
        const left = await hosts.lab.flan(one.host, ["down"]);
        assert.equal(left.code, 0, left.stderr);
        assert.deepEqual(await hosts.show(one.host, "ip", "-6 route show proto 113"), []);
        const links = (await hosts.show(one.host, "ip", "link show")).map(({ ifname }) => ifname);
        assert.deepEqual(links, ["lo", "eth0", "cni0"]);
      });
    },
  );
}

const onDemand = [...NETWORK6, "--backend-option", "Mode=on-demand"];

hostTest(
  "on demand: the kernel asks for neighbours of IPv6, too",
  { lab: "demand-ipv6", hosts: 2 },
  async (hosts) => {
    const [one, two] = await joined(hosts, onDemand, 1) as [Member, Member];
    const [address] = two.containers as [string];
    assert.equal(await hosts.lost(one.host, address, { count: 1 }), 0);
    const rows = await hosts.show(one.host, "ip", "-6 neighbour show dev flan-v6.1");
    assert.deepEqual(rows.filter((row) => "lladdr" in row).map(({ dst }) => dst), [address]);
    assert.equal(
      await hosts.lost(one.host, address.replace(/::1$/, "::2"), { count: 1, patience: 1 }),
      1,
      "nobody has it",
    );
  },
);

/** Gives each host an address of IPv6, lets it join, and makes the bridge that a container runtime would make. */
async function joined(
  hosts: Hosts,
  args: readonly string[],
  routes = hosts.lab.hosts.length - 1,
): Promise<Member[]> {
  const all = hosts.lab.hosts;
  await Promise.all(
    all.map((host, i) =>
      hosts.ip(
        host,
        `address add 2001:db8::${i + 1}/64 dev eth0 nodad`,
        "route add default via 2001:db8::fe dev eth0",
      )
    ),
  );
  const members: Member[] = [];
  for (const host of all) {
    const agent = await hosts.up(host, args);
    const { stdout } = await hosts.lab.flan(host, ["lease", "get", "-o", "json"]);
    const { subnet, subnet6 } = JSON.parse(stdout) as { subnet: string; subnet6?: string | null };
    const gateways = [subnet, ...subnet6 == null ? [] : [subnet6]].map(gatewayOf);
    const given = gateways.map((one) => `address add ${one} dev cni0${familyOf(one) === 6 ? " nodad" : ""}`);
    await hosts.ip(host, "link add cni0 type bridge", ...given, "link set cni0 up");
    members.push({ host, agent, containers: gateways.map((one) => one.split("/")[0]!) });
  }
  await Promise.all(all.map((host) => knows(hosts, host, routes)));
  return members;
}

/** Waits until a host has so many routes of flan's for IPv6. */
async function knows(hosts: Hosts, host: LabHost, routes: number): Promise<void> {
  await until(
    `${routes} routes of ${host.namespace}`,
    async () => (await hosts.show(host, "ip", "-6 route show proto 113")).length === routes,
  );
}
