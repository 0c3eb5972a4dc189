/**
 * Every backend with IPv4, with IPv6 and with both at once on a real kernel: everything reaches everything, whole, at full
 * size and above it. What cannot run here has its reason in `test/conformance/backend_skips.ts`.
 */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { type Family, familyOf } from "../../net/ip.ts";
import { nobodyIsLeftOut, noteRun, type StackName, stackNames } from "../conformance/backend_skips.ts";
import { commandsFollow } from "../lib/commands_follow.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { hostGw, planes, stackArgs, wireguard } from "../lib/planes.ts";
import { streamFile, type Transfer } from "../lib/stream.ts";
import { until } from "../lib/until.ts";

const PORT = 7107;
const MEBIBYTES = 100;
const UNDERLAY_MTU = 1500;
const stream = [Deno.execPath(), "run", "--quiet", "--allow-net", streamFile];

const families: Readonly<Record<StackName, readonly Family[]>> = {
  "IPv4": [4],
  "IPv6": [6],
  "dual stack": [4, 6],
};

/** Where the commands are asked, too, on a third host's account; and what somebody does there that they must find. */
const deeds: Readonly<Record<string, readonly string[]>> = {
  "vxlan dual stack": [
    "link set flan-v6.1 down; link set flan-v6.1 up",
    // Less than IPv6 needs (RFC 8200): the kernel takes it off the link.
    "link set flan-v6.1 mtu 1200",
    "link delete flan-v6.1",
  ],
  "udp dual stack": ["link set flan6-0 down; link set flan6-0 up", "link delete flan6-0"],
  "udp IPv6": [],
  "host-gw IPv6": [],
};

/** Of an echo request: the IP header and ICMP's (RFC 791, 792, 8200, 4443). */
const HEADERS: Readonly<Record<Family, number>> = { 4: 28, 6: 48 };

/** From a host to an address of another one's bridge. */
interface Way {
  readonly from: LabHost;
  readonly address: string;
}

for (const plane of [...planes, hostGw, wireguard]) {
  for (const stack of stackNames) {
    noteRun(plane.backend, stack);
    const some = families[stack];
    const cell = `${plane.backend} ${stack}`;
    const overhead = { 4: plane.overhead, 6: plane.overhead6 };
    const mtu = Object.fromEntries(some.map((family) => [family, UNDERLAY_MTU - overhead[family]]));
    const asked = deeds[cell];
    const count = some.length > 1 || asked !== undefined ? 3 : 2;
    const lab = cell.replaceAll(" ", "-").toLowerCase();
    hostTest(
      `hosts reach one another fully by ${plane.backend} with ${stack}`,
      { lab, hosts: count, plane, probes: asked !== undefined },
      async (hosts, t) => {
        if (some.includes(6)) await hosts.withIpv6();
        const members = await hosts.joinAll(stackArgs[stack]);
        const ways = waysAmong(members);
        assert.equal(ways.length, count * (count - 1) * some.length);
        await t.step("everybody pings everybody, by each family", () => allPing(hosts, ways));
        await t.step(
          "a packet of the overlay's MTU passes undivided, a larger one divided or not at all",
          () => allSizes(hosts, ways, mtu),
        );
        await t.step(
          `${MEBIBYTES} MiB arrive whole, by each family`,
          () => transfer(hosts, members as [Member, Member]),
        );
        if (asked !== undefined) {
          await commandsFollow({ hosts, t, members: members as [Member, Member, Member], mtu, deeds: asked });
        }
      },
    );
  }
}

nobodyIsLeftOut("with packets");

function waysAmong(members: readonly Member[]): Way[] {
  return members.flatMap((from) =>
    members.filter((to) => to !== from).flatMap(({ containers }) =>
      containers.map((address) => ({ from: from.host, address }))
    )
  );
}

/**
 * Once packets come through, none is lost. Before, where both ends of a session of WireGuard begin at once, both drop it and
 * try again after 5 s (wireguard.pdf, 6.1).
 */
async function allPing(hosts: Hosts, ways: readonly Way[]): Promise<void> {
  await Promise.all(
    ways.map(({ from, address }) =>
      until(
        `${from.namespace} reaches ${address}`,
        async () => await hosts.lost(from, address, { count: 3, patience: 1 }) === 0,
      )
    ),
  );
  await Promise.all(ways.map(async ({ from, address }) => {
    assert.equal(await hosts.lost(from, address), 0, `${from.namespace} does not reach ${address}`);
  }));
}

async function allSizes(
  hosts: Hosts,
  ways: readonly Way[],
  mtu: Readonly<Partial<Record<Family, number>>>,
): Promise<void> {
  await Promise.all(ways.map(async ({ from, address }) => {
    const family = familyOf(address);
    const most = mtu[family]!;
    const echo = async (bytes: number, ...words: readonly string[]) => {
      const size = `${bytes - HEADERS[family]}`;
      const { code, stdout, stderr } = await hosts.lab.on(from, [
        "ping",
        "-n",
        "-c",
        "1",
        ...words,
        "-s",
        size,
        address,
      ]);
      return { code, said: `${from.namespace} to ${address}: ${stdout}${stderr}` };
    };
    const fits = await echo(most, "-W", "5", "-M", "do");
    assert.equal(fits.code, 0, fits.said);
    // The sender's own kernel refuses it, and there is no answer to wait for.
    const over = await echo(most + 1, "-W", "0.1", "-M", "do");
    assert.notEqual(over.code, 0);
    assert.match(over.said, new RegExp(`message too long, mtu[=:] ?${most}\n`));
    const divided = await echo(3 * most, "-W", "5", "-M", "dont");
    assert.equal(divided.code, 0, divided.said);
  }));
}

async function transfer(hosts: Hosts, [one, two]: readonly [Member, Member]): Promise<void> {
  await hosts.start(two.host, [...stream, "receive", String(PORT), "::"]).out.line(/^listening$/);
  const argv = [...stream, "send", PORT, MEBIBYTES, 1, ...two.containers].map(String);
  const { code, stdout, stderr } = await hosts.lab.on(one.host, argv);
  assert.equal(code, 0, stderr);
  const transfers: Transfer[] = JSON.parse(stdout);
  assert.deepEqual(transfers.map(({ address }) => address), two.containers);
  for (const { address, sent, received } of transfers) {
    assert.equal(received, sent, `to ${address}`);
    assert.match(received, /^104857600 [0-9a-f]{64}$/);
  }
}
