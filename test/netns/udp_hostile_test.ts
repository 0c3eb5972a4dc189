/** What a proxy does with datagrams that no honest member sends: it counts them by reason, and nothing else happens. */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { counted, countedSince, countersOf, showProxy } from "../lib/ask_proxy.ts";
import { datagramsFile } from "../lib/datagrams.ts";
import { type Hosts, hostTest, type Member } from "../lib/hosts.ts";
import { icmp, udp as datagram } from "../lib/packet_bytes.ts";
import { leaseFor, UDP_PORT } from "../lib/plain_host.ts";
import { udp } from "../lib/planes.ts";
import { type PacketFixture, packetFixtures } from "../packets/fixtures.ts";
import { type Capture, capture, sendRaw } from "../lib/programs.ts";
import { underTraffic } from "../lib/traffic.ts";

const PORT = Number(UDP_PORT);
/** What fits undivided beside IPv4 and UDP on the underlay. */
const UNDIVIDED = 1472;

/** The hosts of these tests. The owner has a lease for the subnet that the fixtures come from, and runs nothing. */
interface Cast {
  readonly victim: Member;
  readonly member: Member;
  readonly owner: LabHost;
  readonly stranger: LabHost;
}

async function cast(hosts: Hosts): Promise<Cast> {
  const [first, second, owner, stranger] = hosts.lab.hosts as [LabHost, LabHost, LabHost, LabHost];
  const victim = await hosts.join(first);
  assert.equal(victim.subnet, "10.244.1.0/24", "the fixtures are for this one");
  await leaseFor(hosts, owner, { subnet: "10.244.2.0/24" });
  const member = await hosts.join(second);
  await hosts.knows(victim, [victim, member, { ...member, subnet: "10.244.2.0/24" }]);
  return { victim, member, owner, stranger };
}

/** Sends the packets to the proxy of `to` as datagrams that come from `outer`, whoever `from` is. */
async function inject(
  hosts: Hosts,
  { from, outer, to, port = PORT }: { from: LabHost; outer: LabHost; to: LabHost; port?: number },
  packets: readonly Uint8Array[],
): Promise<void> {
  const ends = { source: outer.address, destination: to.address, port: PORT, from: port };
  const whole = packets.filter(({ length }) => length <= UNDIVIDED);
  await sendRaw(hosts, from, whole.map((payload) => datagram({ ...ends, payload })));
  const rest = packets.filter(({ length }) => length > UNDIVIDED);
  if (rest.length === 0) return;
  // The kernel divides only what goes through an ordinary socket, so the address must be one of the sender's.
  if (from !== outer) await hosts.ip(from, `address add ${outer.address}/32 dev lo`);
  const file = `${hosts.lab.directory}/large.txt`;
  Deno.writeTextFileSync(file, rest.map((packet) => `${packet.toHex()}\n`).join(""));
  const argv = [
    Deno.execPath(),
    "run",
    "--quiet",
    "--allow-all",
    datagramsFile,
    "send",
    to.address,
    UDP_PORT,
  ];
  const { code, stderr } = await hosts.lab.on(from, [...argv, `${outer.address}:${UDP_PORT}`, file]);
  assert.equal(code, 0, stderr);
  if (from !== outer) await hosts.ip(from, `address delete ${outer.address}/32 dev lo`);
}

interface Judged {
  readonly bytes: Uint8Array;
  /** The counter under which it must be found. */
  readonly reason: string;
}

/**
 * Insists that the proxy of `to` counts each of `packets` once, under its reason. Where members send meanwhile, more may
 * be accepted than these.
 */
async function judged(
  hosts: Hosts,
  { busy = false, ...ends }: { from: LabHost; outer: LabHost; to: LabHost; port?: number; busy?: boolean },
  packets: readonly Judged[],
): Promise<void> {
  const before = await countersOf(ends.to);
  await inject(hosts, ends, packets.map(({ bytes }) => bytes));
  const expected: Record<string, number> = {};
  for (const { reason } of packets) expected[reason] = (expected[reason] ?? 0) + 1;
  const judgements = (now: Readonly<Record<string, number>>): Record<string, number> => {
    const all = countedSince(before, now);
    const accepted = all["in_packets"] ?? 0;
    const wanted = expected["in_packets"] ?? 0;
    const drops = Object.entries(all).filter(([name]) => name.startsWith("in_drop_"));
    const shown = busy && accepted >= wanted ? wanted : accepted;
    return Object.fromEntries(shown === 0 ? drops : [...drops, ["in_packets", shown]]);
  };
  const sum = (counts: Record<string, number>) => Object.values(counts).reduce((a, b) => a + b, 0);
  const now = await counted(ends.to, (counters) => sum(judgements(counters)) >= packets.length);
  assert.deepEqual(judgements(now), expected);
}

const asGiven = ({ bytes, counter }: PacketFixture): Judged => ({ bytes, reason: counter });

/** Of a packet that is well-formed the source is looked at next. */
const fromStranger = ({ bytes, counter }: PacketFixture): Judged => {
  const isWellFormed = /^(in_packets|in_drop_(ttl|source|destination))$/.test(counter);
  return { bytes, reason: isWellFormed ? "in_drop_source" : counter };
};

/** The datagrams of a capture that a proxy has sent. */
function sentBy({ address }: LabHost, capture: Capture): Uint8Array[] {
  const source = address.split(".").map(Number);
  return capture.packets.filter((one) => one[9] === 17 && source.every((octet, i) => one[12 + i] === octet));
}

hostTest("what does not belong on the wire is dropped under its reason, and never echoed", {
  lab: "hostile",
  hosts: 4,
  plane: udp,
}, async (hosts, t) => {
  const { victim, member, owner, stranger } = await cast(hosts);
  const { host: to } = victim;
  const fixtures = packetFixtures();
  const atOwner = await capture(hosts, owner, "eth0");
  const atStranger = await capture(hosts, stranger, "eth0");
  const { pid } = (await showProxy(to))!;

  for (const fixture of fixtures) {
    await t.step(
      `${fixture.name}: ${fixture.what}`,
      () => judged(hosts, { from: owner, outer: owner, to }, [asGiven(fixture)]),
    );
  }

  await t.step("members do not notice strangers, whatever they send and in whose name", async () => {
    const ends = { from: member.host, to: victim.container };
    const { sent, received } = await underTraffic(hosts, ends, async () => {
      const common = { from: stranger, to, busy: true };
      await judged(hosts, { ...common, outer: stranger }, fixtures.map(fromStranger));
      await judged(hosts, { ...common, outer: owner }, fixtures.map(asGiven));
    });
    assert.equal(received, sent);
    assert.equal((await showProxy(to))?.pid, pid);
    await hosts.isWell(to);
  });

  await t.step("nothing comes back but what a router or the receiver tells the source of a packet", () => {
    assert.deepEqual(sentBy(to, atStranger), []);
    const told = sentBy(to, atOwner).flatMap(packetsIn);
    assert.ok(told.some((packet) => packet[20] === 11), "the time of some was exceeded");
    for (const packet of told) {
      assert.ok(isIcmpError(packet), packet.toHex());
      // Behind TTL and checksum it quotes what was received, and no other byte.
      const quoted = packet.subarray(28 + 12).toHex();
      assert.ok(fixtures.some(({ bytes }) => bytes.subarray(12).toHex().startsWith(quoted)), packet.toHex());
    }
  });
});

/** The packets in a datagram as a capture shows it: the kernel divides what was sent as one only after that. */
function packetsIn(outer: Uint8Array): Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (let rest = outer.subarray(28); rest.length >= 20;) {
    const length = Math.max(20, rest[2]! << 8 | rest[3]!);
    packets.push(rest.subarray(0, length));
    rest = rest.subarray(length);
  }
  return packets;
}

/** RFC 792: unreachable, time exceeded, and of a kernel that looks into the options, parameter problem. */
function isIcmpError(packet: Uint8Array): boolean {
  return packet[0] === 0x45 && packet[9] === 1 && [3, 11, 12].includes(packet[20]!);
}

hostTest("a member may send what comes from its subnet to this one, and nothing else", {
  lab: "spoofed",
  hosts: 4,
  plane: udp,
}, async (hosts, t) => {
  const { victim, member, owner, stranger } = await cast(hosts);
  const { host: to } = victim;
  const echo = (source: string, destination = victim.container) =>
    icmp({ source, destination }, { type: 8, code: 0, rest: new Uint8Array(32) });
  const cases: readonly [what: string, outer: LabHost, inner: Uint8Array, reason: string][] = [
    ["its own address", owner, echo("10.244.2.7"), "in_packets"],
    ["another member's address", owner, echo(member.container), "in_drop_source"],
    ["the receiver's own address", owner, echo(victim.container), "in_drop_source"],
    ["an address that nobody leases", owner, echo("10.244.250.7"), "in_drop_source"],
    ["an address outside the network", owner, echo("198.51.100.7"), "in_drop_source"],
    ["its own address to another subnet", owner, echo("10.244.2.7", member.container), "in_drop_destination"],
    ["its own address to the underlay", owner, echo("10.244.2.7", to.address), "in_drop_destination"],
    ["a member's address, and is none itself", stranger, echo("10.244.2.7"), "in_drop_source"],
  ];
  for (const [what, outer, bytes, reason] of cases) {
    await t.step(
      `a sender with ${what}`,
      () => judged(hosts, { from: outer, outer, to }, [{ bytes, reason }]),
    );
  }

  await t.step("a container behind a member's address, which has another port", async () => {
    await judged(hosts, { from: owner, outer: owner, to, port: 41_234 }, [
      { bytes: echo("10.244.2.7"), reason: "in_drop_source" },
    ]);
  });

  await t.step("with CheckSource=false the outer source does not matter", async () => {
    const { code, stderr } = await hosts.lab.flan(to, ["config", "set", "Backend.CheckSource", "false"]);
    assert.equal(code, 0, stderr);
    await victim.agent.err.until(
      "a proxy that does not check",
      async () => (await showProxy(to))?.proxy?.checkSource === false,
    );
    const seen = await capture(hosts, owner, "eth0");
    await judged(hosts, { from: stranger, outer: stranger, to }, [
      { bytes: echo("10.244.2.7"), reason: "in_packets" },
      { bytes: echo("10.244.2.7", member.container), reason: "in_drop_destination" },
    ]);
    // The answer goes to whoever has the lease: an echo reply (type 0) from the container to 10.244.2.7.
    await seen.sees(/0af401010af402070000/);
  });

  await t.step("with CheckSource=false, too, only who has a source is told of its packets", async () => {
    const watched = [owner, stranger, member.host];
    const seen = await Promise.all(watched.map((host) => capture(hosts, host, "eth0")));
    const expiring = (source: string): Judged => {
      const ends = { source, destination: victim.container, ttl: 1 };
      return { bytes: icmp(ends, { type: 8, code: 0, rest: new Uint8Array(32) }), reason: "in_drop_ttl" };
    };
    const nobodys = ["10.244.250.7", "198.51.100.7", stranger.address, member.host.address];
    const before = await countersOf(to);
    const byStranger = [...nobodys, "10.244.2.7", member.container].map(expiring);
    await judged(hosts, { from: stranger, outer: stranger, to }, byStranger);
    await judged(hosts, { from: owner, outer: owner, to }, [expiring("10.244.2.9")]);
    assert.equal(countedSince(before, await countersOf(to))["icmp_sent"], 1);
    await Promise.all(seen.map((one, i) => one.settled(hosts, to, watched[i]!.address)));
    assert.deepEqual(seen.map((one) => one.packets.filter(tellsOfTime).length), [1, 0, 0]);
  });
});

/** Whether a packet, or one in the datagram that it is, says that a time to live was exceeded (RFC 792). */
function tellsOfTime(packet: Uint8Array): boolean {
  const packets = packet[9] === 17 ? packetsIn(packet) : [packet];
  return packets.some((one) => one[9] === 1 && one[20] === 11);
}
