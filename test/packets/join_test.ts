/** The joining of received packets into super-packets for the TUN. */
import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import fc from "fast-check";
import { joinableTcp, joinableUdp, similarPackets } from "./arbitraries.ts";
import {
  check,
  type Frame,
  join,
  joinAndUndo,
  type Joining,
  NEEDS_CHECKSUM,
  TCP4,
  UDP_L4,
} from "./library.ts";
import {
  ACK,
  checksumField,
  checksumOf,
  CWR,
  DF,
  ECE,
  filler,
  FIN,
  headerOf,
  MF,
  pseudoHeader,
} from "./packets.ts";
import { PSH, RST, SYN, type Tcp, tcp, type Udp, udp, URG, withByte, withHeaderChecksum } from "./packets.ts";
import { withTransportChecksum, withWord, word } from "./packets.ts";
import { isIntact, referenceSplit } from "./reference.ts";

/** The packets that the receiving kernel sees. */
function received(frames: readonly Frame[]): Uint8Array[] {
  return frames.flatMap(({ count, offload, packet }) => {
    assert.equal(check(packet), "ok");
    if (count === 1) {
      assert.deepEqual(offload, { flags: 0, type: 0, headers: 0, size: 0, start: 0, offset: 0 });
      return [packet];
    }
    const isTcp = packet[9] === 6;
    const ip = headerOf(packet);
    assert.equal(offload.flags, NEEDS_CHECKSUM);
    assert.equal(offload.type, isTcp ? TCP4 : UDP_L4);
    assert.equal(offload.headers, ip + (isTcp ? (packet[ip + 12]! >> 4) * 4 : 8));
    assert.equal(offload.start, ip);
    assert.equal(offload.offset, isTcp ? 16 : 6);
    assert.equal(word(packet, checksumField(packet)), 0xffff - checksumOf(pseudoHeader(packet)));
    if (!isTcp) assert.equal(word(packet, ip + 4), packet.length - ip);
    const packets = referenceSplit(offload, packet);
    assert.equal(packets.length, count);
    return packets;
  });
}

/**
 * A packet without what a super-packet cannot carry: the identification of one that is never fragmented means
 * nothing (RFC 6864, 4.1), nor does an urgent pointer without URG, and of several windows only the newest counts.
 */
function essence(packet: Uint8Array): Uint8Array {
  if ((word(packet, 6) & 0x7fff) !== DF || packet[0] !== 0x45) return packet;
  let bare = withHeaderChecksum(withWord(packet, 4, 0));
  if (packet[9] === 6 && packet.length >= 40 && isIntact(packet)) {
    const urgent = packet[33]! & URG ? word(packet, 38) : 0;
    bare = withTransportChecksum(withWord(withWord(bare, 34, 0), 38, urgent));
  }
  return bare;
}

/** Addresses, protocol and ports; fragments and packets with options are of no flow. */
function flowOf(packet: Uint8Array): string {
  if (packet[0] !== 0x45 || (word(packet, 6) & 0x3fff) !== 0 || packet.length < 28) return "none";
  return [packet[9], ...packet.subarray(12, 24)].join(".");
}

function byFlow(packets: readonly Uint8Array[]): Record<string, string[]> {
  const flows: Record<string, string[]> = {};
  for (const packet of packets) {
    (flows[flowOf(packet)] ??= []).push(Buffer.from(essence(packet)).toString("hex"));
  }
  return flows;
}

const joinings: Joining[] = [{}, { tcp: false }, { udp: false }, { tcp: false, udp: false }];

Deno.test("join: whatever comes, each flow's packets reach the kernel unchanged and in order", () => {
  fc.assert(
    fc.property(similarPackets, fc.constantFrom(...joinings), (packets, joining) => {
      assert.deepEqual(byFlow(received(join(packets, joining))), byFlow(packets));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("join: what is joined can be taken apart again, into the same packets in the same order", () => {
  fc.assert(
    fc.property(similarPackets, fc.constantFrom(...joinings), (packets, joining) => {
      const flags = (packet: Uint8Array) =>
        // the first packet of a frame keeps the last one's PSH
        packet[9] === 6 && packet.length >= 40 && isIntact(packet)
          ? withTransportChecksum(
            withByte(packet, headerOf(packet) + 13, packet[headerOf(packet) + 13]! & ~PSH),
          )
          : packet;
      assert.deepEqual(
        byFlow(joinAndUndo(packets, joining).map(flags)),
        byFlow(packets.map(flags)),
      );
    }),
    { numRuns: 1000 },
  );
});

Deno.test("join: what is not to be joined goes through byte by byte", () => {
  fc.assert(fc.property(similarPackets, (packets) => {
    const frames = join(packets, { tcp: false, udp: false });
    assert.deepEqual(frames.map(({ packet }) => packet), packets);
    assert.deepEqual(
      join(packets, { tcp: false }).filter(({ count }) => count > 1).map(({ packet }) => packet[9]).filter((
        p,
      ) => p !== 17),
      [],
    );
    assert.deepEqual(
      join(packets, { udp: false }).filter(({ count }) => count > 1).map(({ packet }) => packet[9]).filter((
        p,
      ) => p !== 6),
      [],
    );
  }));
});

/** A super-packet's segments and the offload header that says how to get them. */
function segments(isTcp: boolean, fields: Tcp & Udp, { length, size }: { length: number; size: number }) {
  const packet = isTcp ? tcp(filler(length), fields) : udp(filler(length), fields);
  const offload = { flags: 1, type: isTcp ? TCP4 : UDP_L4, headers: 0, size, start: 0, offset: 0 };
  return { packet, list: referenceSplit(offload, packet) };
}

const lengths = fc.tuple(fc.integer({ min: 1, max: 60000 }), fc.integer({ min: 1000, max: 1460 }));

Deno.test("join: the segments of a TCP super-packet give that super-packet again", () => {
  fc.assert(
    fc.property(joinableTcp, fc.boolean(), lengths, (fields, push, [length, size]) => {
      const flags = fields.flags! | (push ? PSH : 0);
      const { packet, list } = segments(true, { ...fields, flags }, { length, size });
      const frames = join(list);
      assert.equal(frames.length, 1);
      assert.deepEqual(withTransportChecksum(frames[0]!.packet), packet);
    }),
    { numRuns: 300 },
  );
});

Deno.test("join: the segments of a UDP super-packet give that super-packet again", () => {
  fc.assert(
    fc.property(joinableUdp, lengths, (fields, [length, size]) => {
      const { packet, list } = segments(false, fields, { length, size });
      const frames = join(list);
      assert.equal(frames.length, 1);
      assert.deepEqual(withTransportChecksum(frames[0]!.packet), packet);
    }),
    { numRuns: 300 },
  );
});

Deno.test("join: a frame has 64 packets and 65,535 bytes at most, and the next one goes on", () => {
  for (const isTcp of [true, false]) {
    const small = join(segments(isTcp, {}, { length: 150 * 100 + 1, size: 100 }).list);
    assert.deepEqual(small.map(({ count }) => count), [64, 64, 23]);
    const { list } = segments(isTcp, {}, { length: 65000, size: 9000 });
    const large = join([
      ...list.slice(0, 7),
      ...segments(isTcp, { sequence: 64000 }, { length: 9000, size: 9000 }).list,
    ]);
    assert.deepEqual(large.map(({ count }) => count), [7, 1]);
    assert.equal(large[0]!.packet.length, 63000 + (isTcp ? 40 : 28));
  }
  const exact = Array.from({ length: 5 }, (_, i) => tcp(filler(13099), { sequence: 1000 + i * 13099 }));
  assert.deepEqual(join(exact).map(({ packet }) => packet.length), [65535]);
  assert.deepEqual(
    join([...exact.slice(0, 4), tcp(filler(13098), { sequence: 1000 + 4 * 13099 })]).length,
    1,
  );
});

Deno.test("join: sequence numbers go on through 0", () => {
  const first = tcp(filler(100), { sequence: 0xffffffce });
  assert.equal(join([first, tcp(filler(100), { sequence: 50 })]).length, 1);
});

Deno.test("join: two flows between each other are each joined, and more flows than there are slots lose nothing", () => {
  const of = (port: number, i: number) => tcp(filler(100, port), { from: port, sequence: 1000 + 100 * i });
  const two = Array.from({ length: 10 }, (_, i) => [of(1, i), of(2, i)]).flat();
  assert.deepEqual(join(two).map(({ count }) => count), [10, 10]);
  const many = Array.from({ length: 4 }, (_, i) => Array.from({ length: 300 }, (_, port) => of(port, i)))
    .flat();
  assert.deepEqual(byFlow(received(join(many))), byFlow(many));
});

const options = (last: number) => new Uint8Array([1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, last]);
const next = { sequence: 1100 };
const damaged = (packet: Uint8Array) => withByte(packet, packet.length - 1, packet.at(-1)! ^ 1);
const t = (fields: Tcp = {}, length = 100) => tcp(filler(length), fields);
const u = (fields: Udp = {}, length = 100) => udp(filler(length), fields);

/** Two packets, and whether they become one. */
const pairs: [string, Uint8Array, Uint8Array, boolean][] = [
  ["the next segment", t(), t(next), true],
  ["a shorter segment", t(), t(next, 1), true],
  ["a longer segment", t(), t(next, 101), false],
  ["a segment without payload", t(), t(next, 0), false],
  ["a segment after one without payload", t({}, 0), t({}), false],
  ["PSH in the second", t(), t({ ...next, flags: ACK | PSH }), true],
  ["PSH in the first", t({ flags: ACK | PSH }), t(next), false],
  ["FIN in the second", t(), t({ ...next, flags: ACK | FIN }), false],
  ["FIN in the first", t({ flags: ACK | FIN }), t(next), false],
  ["SYN in the first", t({ flags: ACK | SYN }), t({ sequence: 1101 }), false],
  ["SYN in the second", t(), t({ ...next, flags: ACK | SYN }), false],
  ["RST", t(), t({ ...next, flags: ACK | RST }), false],
  ["URG", t(), t({ ...next, flags: ACK | URG, urgent: 7 }), false],
  ["URG in both", t({ flags: ACK | URG, urgent: 7 }), t({ ...next, flags: ACK | URG, urgent: 7 }), false],
  ["an urgent pointer without URG", t(), t({ ...next, urgent: 7 }), true],
  ["CWR in the first", t({ flags: ACK | CWR }), t(next), false],
  ["CWR in the second", t(), t({ ...next, flags: ACK | CWR }), false],
  ["CWR in both", t({ flags: ACK | CWR }), t({ ...next, flags: ACK | CWR }), false],
  ["ECE in both", t({ flags: ACK | ECE }), t({ ...next, flags: ACK | ECE }), true],
  ["ECE in one", t(), t({ ...next, flags: ACK | ECE }), false],
  ["no ACK", t({ flags: 0 }), t({ ...next, flags: 0 }), false],
  [
    "a reserved bit",
    withTransportChecksum(withByte(t(), 32, 0x51)),
    withTransportChecksum(withByte(t(next), 32, 0x51)),
    false,
  ],
  ["another ToS", t(), t({ ...next, tos: 0x10 }), false],
  ["an ECN mark in one", t({ tos: 2 }), t({ ...next, tos: 3 }), false],
  ["an ECN mark in both", t({ tos: 3 }), t({ ...next, tos: 3 }), true],
  ["another TTL", t(), t({ ...next, ttl: 62 }), false],
  ["DF in one", t(), t({ ...next, fragment: 0 }), false],
  [
    "no DF, whose identification has a meaning",
    t({ fragment: 0 }),
    t({ ...next, fragment: 0, id: 0x1235 }),
    false,
  ],
  ["another identification", t(), t({ ...next, id: 99 }), true],
  ["the same timestamps", t({ tcpOptions: options(1) }), t({ ...next, tcpOptions: options(1) }), true],
  ["other timestamps", t({ tcpOptions: options(1) }), t({ ...next, tcpOptions: options(2) }), false],
  ["TCP options in one", t(), t({ ...next, tcpOptions: options(1) }), false],
  [
    "40 bytes of the same TCP options",
    t({ tcpOptions: filler(40) }),
    t({ ...next, tcpOptions: filler(40) }),
    true,
  ],
  [
    "IPv4 options",
    t({ options: new Uint8Array([1, 1, 1, 0]) }),
    t({ ...next, options: new Uint8Array([1, 1, 1, 0]) }),
    false,
  ],
  ["another acknowledgement", t(), t({ ...next, acknowledgement: 78 }), false],
  ["another window", t(), t({ ...next, window: 501 }), true],
  ["a gap", t(), t({ sequence: 1101 }), false],
  ["an overlap", t(), t({ sequence: 1099 }), false],
  ["the same again", t(), t(), false],
  ["the wrong order", t(next), t(), false],
  ["a damaged first", damaged(t()), t(next), false],
  ["a damaged second", t(), damaged(t(next)), false],
  ["a TCP header that is too long", t(), withByte(t(next, 3), 32, 0xf0), false],
  [
    "a TCP header that is too short",
    withTransportChecksum(withByte(t(), 32, 0x40)),
    withTransportChecksum(withByte(t(next), 32, 0x40)),
    false,
  ],
  ["another port", t(), t({ ...next, from: 1 }), false],
  ["another port at the far end", t(), t({ ...next, to: 1 }), false],
  ["another source", t(), t({ ...next, source: [10, 244, 2, 8] }), false],
  ["another destination", t(), t({ ...next, destination: [10, 244, 1, 6] }), false],
  ["a first fragment", t({ fragment: MF }), t({ ...next, fragment: MF }), false],
  ["a later fragment", t(), t({ ...next, fragment: DF | 100 }), false],
  ["the next datagram", u(), u(), true],
  ["a shorter datagram", u(), u({}, 1), true],
  ["a longer datagram", u(), u({}, 101), false],
  ["an empty datagram", u(), u({}, 0), false],
  ["empty datagrams", u({}, 0), u({}, 0), false],
  ["datagrams without checksums", u({ unchecked: true }), u({ unchecked: true }), false],
  ["a datagram without a checksum", u(), u({ unchecked: true }), false],
  ["a datagram after one without a checksum", u({ unchecked: true }), u(), false],
  ["a damaged datagram", u(), damaged(u()), false],
  ["a datagram after a damaged one", damaged(u()), u(), false],
  [
    "a UDP length that is too short",
    withTransportChecksum(withWord(u(), 24, 50)),
    withTransportChecksum(withWord(u(), 24, 50)),
    false,
  ],
  ["a datagram of another ToS", u(), u({ tos: 4 }), false],
  ["a datagram of another TTL", u(), u({ ttl: 9 }), false],
  ["a datagram without DF", u(), u({ fragment: 0 }), false],
  ["datagrams without DF", u({ fragment: 0 }), u({ fragment: 0 }), false],
  ["a datagram of another port", u(), u({ to: 54 }), false],
  ["fragments of datagrams", u({ fragment: MF }), u({ fragment: MF }), false],
  ["TCP and UDP of the same ports", t({ to: 53 }), u(), false],
];

for (const [name, first, second, joined] of pairs) {
  Deno.test(`join: ${name}: ${joined ? "one" : "two"}`, () => {
    const frames = join([first, second]);
    assert.equal(frames.length, joined ? 1 : 2);
    if (!joined) assert.deepEqual(frames.map(({ packet }) => packet), [first, second]);
    assert.deepEqual(byFlow(received(frames)), byFlow([first, second]));
  });
}

Deno.test("join: nothing comes after a shorter packet, a pushed one, or one that could not be joined", () => {
  const third = { sequence: 1200 };
  assert.deepEqual(join([t(), t(next, 50), t({ sequence: 1150 })]).map(({ count }) => count), [2, 1]);
  assert.deepEqual(join([t(), t({ ...next, flags: ACK | PSH }), t(third)]).map(({ count }) => count), [2, 1]);
  assert.deepEqual(join([t(), damaged(t(next)), t(third)]).map(({ count }) => count), [1, 1, 1]);
  assert.deepEqual(join([u(), u({}, 50), u(), u()]).map(({ count }) => count), [2, 2]);
});

Deno.test("join: a fragment, which may be of any flow, is not overtaken", () => {
  const fragment = u({ fragment: MF });
  assert.deepEqual(join([u(), fragment, u(), u()]).map(({ count }) => count), [1, 1, 2]);
  const withOptions = t({ ...next, options: new Uint8Array([1, 1, 1, 1]) });
  assert.deepEqual(join([t(), withOptions, t({ sequence: 1200 })]).map(({ count }) => count), [1, 1, 1]);
});

Deno.test("join: the newest window and the last PSH are the super-packet's", () => {
  const [frame] = join([t({ window: 7 }), t({ ...next, window: 9, flags: ACK | PSH })]);
  assert.equal(word(frame!.packet, 34), 9);
  assert.equal(frame!.packet[33], ACK | PSH);
});

Deno.test("join: no packets give no frames", () => assert.deepEqual(join([]), []));
