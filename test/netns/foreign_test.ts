/** What belongs to others stays as it is: it is reported while it is in the way, and `down` leaves no trace. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { must } from "../../cmd/demo/shell.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { namespaceState } from "../lib/namespace_state.ts";
import { hostGw, type Plane, planes, udp } from "../lib/planes.ts";

/** An administrator's things that are in nobody's way. */
async function administrate(hosts: Hosts, host: LabHost): Promise<void> {
  await hosts.ip(
    host,
    "link add vx9 type vxlan id 9 dev eth0 local 192.0.2.1 dstport 4789",
    "address add 198.51.100.1/24 dev vx9",
    "link set vx9 up",
    "route add 10.99.0.0/16 via 192.0.2.77 proto static",
    "route add 10.244.0.0/16 via 192.0.2.78 table 100",
    "rule add from 10.99.0.0/16 lookup 100",
    "neighbour add 192.0.2.77 lladdr 02:00:00:00:00:01 dev eth0",
    "nexthop add id 7 via 192.0.2.79 dev eth0",
  );
  await hosts.bridge(host, "fdb append 00:00:00:00:00:00 dst 192.0.2.80 dev vx9");
  const rules =
    "table inet admin { chain input { type filter hook input priority 0; tcp dport 22 accept; }; }";
  await must(["ip", "netns", "exec", host.namespace, "nft", rules]);
}

/** Waits until every IPv6 address has passed duplicate address detection. */
async function settled(hosts: Hosts, host: LabHost): Promise<void> {
  const monitor = hosts.start(host, ["ip", "monitor", "address"]);
  // An address whose end of detection is an event that comes for certain, and after the others'.
  await hosts.ip(host, "address add 2001:db8::1/64 dev eth0");
  await monitor.out.until("an address that is not tentative", async () => {
    const shown = await hosts.show(host, "ip", "-6 address show");
    return !JSON.stringify(shown).includes('"tentative"');
  });
  await monitor.end();
}

for (const plane of [...planes, hostGw]) {
  const where = { lab: `down-${plane.backend}`, hosts: 2, plane };
  hostTest(
    `after down the namespace is what it was before up, with ${plane.backend}`,
    where,
    async (hosts) => {
      const [first] = hosts.lab.hosts as [LabHost];
      await administrate(hosts, first);
      await settled(hosts, first);
      const before = await namespaceState(first);

      const other = await hosts.join(hosts.at(2));
      const agent = await hosts.up(first);
      const subnet = await agent.out.line(/\/\d+$/);
      await hosts.knows(other, [other, { ...other, subnet }]);
      assert.equal(await hosts.lost(first, other.container), 0);
      assert.notDeepEqual(await namespaceState(first), before);
      const { code, stdout, stderr } = await hosts.lab.flan(first, ["down"]);

      assert.equal(code, 0, stderr);
      const removed = plane === hostGw ? "1 route" : `link ${plane.device.replace(".", "\\.")}`;
      const said =
        `stopped the agent.*\nremoved \\S+subnet\\.env\n[^]*removed ${removed}\n[^]*released lease 10\\.244\\.`;
      assert.match(stdout, new RegExp(said));
      assert.equal((await agent.ended()).code, 0);
      assert.deepEqual(await namespaceState(first), before);
      assert.equal(await must(["ip", "netns", "pids", first.namespace]), "", "no process is left");
      const files = [...Deno.readDirSync(first.runDir)].map(({ name }) => name);
      assert.deepEqual(files.filter((name) => !/\.(log|lock)$/.test(name)), []);
    },
  );
}

/** Something of an administrator's in the way of what flan wants. */
interface Obstacle {
  readonly name: string;
  readonly put: (plane: Plane, peer: Member) => string;
  readonly removed: (plane: Plane, peer: Member) => string;
  readonly code: string;
}

const gatewayOf = (peer: Member) => peer.subnet.split("/")[0]!;
const obstacles: readonly Obstacle[] = [
  {
    name: "a route in the place of flan's",
    put: ({ route }, peer) => `route replace ${route(peer.subnet)} via 192.0.2.77 proto static`,
    removed: ({ route }, peer) => `route delete ${route(peer.subnet)} via 192.0.2.77`,
    code: "foreign-route",
  },
  {
    name: "a route in the place of flan's, over flan's own device",
    put: ({ route, device }, peer) => `route replace ${route(peer.subnet)} dev ${device} proto static`,
    removed: ({ route, device }, peer) => `route delete ${route(peer.subnet)} dev ${device}`,
    code: "foreign-route",
  },
  {
    name: "a neighbour in the place of a peer's",
    put: (_, peer) =>
      `neighbour replace ${gatewayOf(peer)} lladdr 02:00:00:00:00:05 nud permanent proto static dev flan.1`,
    removed: (_, peer) => `neighbour delete ${gatewayOf(peer)} dev flan.1`,
    code: "foreign-neighbour",
  },
];

/** There are no neighbours on a TUN device, and host-gw has no device of its own. */
const obstaclesTo = (plane: Plane) =>
  plane === hostGw
    ? obstacles.slice(0, 1)
    : obstacles.filter(({ code }) => plane !== udp || code !== "foreign-neighbour");

for (const plane of [...planes, hostGw]) {
  const where = { lab: `foreign-${plane.backend}`, hosts: 2, plane };
  hostTest(
    `what stands in the way is left, reported, and replaced when it is gone, with ${plane.backend}`,
    where,
    async (hosts, t) => {
      await Promise.all(hosts.lab.hosts.map((host) => hosts.withoutIpv6(host)));
      const members = await hosts.joinAll() as [Member, Member];
      const [victim, peer] = members;
      const log = victim.agent.err;
      await administrate(hosts, victim.host);
      const foreign = async () => {
        const { routes, neighbours, links, nft } = await namespaceState(victim.host);
        const others = [...routes, ...neighbours].filter((row) => row["protocol"] !== "113");
        return { others, links: links.filter((row) => row["ifname"] !== plane.device), nft };
      };

      for (const { name, put, removed, code } of obstaclesTo(plane)) {
        await t.step(name, async () => {
          const clear = await foreign();
          const mark = log.lines.length;
          await hosts.ip(victim.host, put(plane, peer));
          const theirs = await foreign();
          await log.line(
            new RegExp(`warning .* is not flan's and stands in the way of .* code=${code} `),
            mark,
          );

          const reported = await hosts.status(victim.host);
          assert.equal(reported.code, 3);
          assert.deepEqual(reported.problems.map((one) => one.code), [code]);
          assert.deepEqual(await foreign(), theirs, "the administrator's object is still there");

          await hosts.ip(victim.host, removed(plane, peer));
          await log.line(new RegExp(`Well again: .* code=${code} `), mark);
          await hosts.isWell(victim.host);
          assert.deepEqual(await foreign(), clear);
          await hosts.allReach(members);
        });
      }
    },
  );
}

const theirDevices: Readonly<Record<string, readonly string[]>> = {
  vxlan: ["link add flan.1 type vxlan id 9 dev eth0 dstport 4789", "link set flan.1 up"],
  udp: ["tuntap add dev flan0 mode tun", "link set flan0 up"],
};

for (const plane of planes) {
  const where = { lab: `device-${plane.backend}`, hosts: 1, plane };
  hostTest(
    `up refuses to start on a device of somebody else, with ${plane.backend}`,
    where,
    async (hosts) => {
      const [host] = hosts.lab.hosts as [LabHost];
      await hosts.withoutIpv6(host);
      await hosts.ip(host, ...theirDevices[plane.backend]!);
      const before = await namespaceState(host);

      const { code, stderr } = await hosts.lab.flan(host, ["up", "--once", ...plane.args]);

      assert.equal(code, 1);
      assert.match(
        stderr,
        new RegExp(
          `Cannot join the network: link ${plane.device} is not flan's.*\nhint: remove or rename it`,
        ),
      );
      assert.deepEqual(await namespaceState(host), before);
      await hosts.ip(host, `link delete ${plane.device}`);
      assert.equal((await hosts.lab.flan(host, ["up", "--once", ...plane.args])).code, 0);
    },
  );
}

for (const plane of planes) {
  const where = { lab: `usurped-${plane.backend}`, hosts: 1, plane };
  hostTest(
    `a device that somebody puts in the place of flan's is left, and reported, with ${plane.backend}`,
    where,
    async (hosts) => {
      const [host] = hosts.lab.hosts as [LabHost];
      await hosts.withoutIpv6(host);
      const agent = await hosts.up(host);
      const mark = agent.err.lines.length;
      // While it stands still it cannot be quicker than the administrator.
      Deno.kill(agent.pid, "SIGSTOP");
      await hosts.ip(host, `link delete ${plane.device}`, ...theirDevices[plane.backend]!);
      const theirs = await namespaceState(host);
      Deno.kill(agent.pid, "SIGCONT");
      await agent.err.line(/code=foreign-link/, mark);

      const { code, problems } = await hosts.status(host);
      assert.equal(code, 3);
      assert.deepEqual(problems.map((one) => one.code), ["foreign-link"]);
      assert.deepEqual(await namespaceState(host), theirs);
      await hosts.ip(host, `link delete ${plane.device}`);
      await agent.err.line(/Well again/, mark);
      await hosts.isWell(host);
    },
  );
}

for (const plane of planes) {
  const where = { lab: `beside-${plane.backend}`, hosts: 2, plane };
  hostTest(
    `default routes and what else lies beside the overlay survive an agent's repairs, with ${plane.backend}`,
    where,
    async (hosts) => {
      await Promise.all(hosts.lab.hosts.map((host) => hosts.withoutIpv6(host)));
      const [victim, peer] = await hosts.joinAll() as [Member, Member];
      await administrate(hosts, victim.host);
      const before = await namespaceState(victim.host, { indexes: false });
      const mark = victim.agent.err.lines.length;

      await hosts.ip(victim.host, `link delete ${plane.device}`);
      await victim.agent.err.line(/Repaired link/, mark);

      assert.deepEqual(await namespaceState(victim.host, { indexes: false }), before);
      await hosts.allReach([victim, peer]);
    },
  );
}
