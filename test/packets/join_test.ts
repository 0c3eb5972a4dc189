/** The joining of received packets into super-packets for the TUN: whatever comes, and as much as there can be. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { joinableTcp, joinableUdp, similarPackets } from "./arbitraries.ts";
import { check, join, joinAndUndo, type Joining, TCP4, UDP_L4 } from "./library.ts";
import { filler, PSH, type Tcp, tcp, type Udp, udp, withByte, withTransportChecksum } from "./packets.ts";
import { headerOf, isIpv6, protocolOf } from "./headers.ts";
import { translated } from "./translate.ts";
import { byFlow, received } from "./received.ts";
import { isIntact, referenceSplit } from "./reference.ts";

/** Lists of either family; a joiner only ever has one. */
const anyPackets = fc.tuple(similarPackets, fc.boolean()).map(([packets, ipv6]) =>
  ipv6 ? packets.map(translated) : packets
);

const joinings: Joining[] = [{}, { tcp: false }, { udp: false }, { tcp: false, udp: false }];

Deno.test("join: whatever comes, each flow's packets reach the kernel unchanged and in order", () => {
  fc.assert(
    fc.property(anyPackets, fc.constantFrom(...joinings), (packets, joining) => {
      assert.deepEqual(byFlow(received(join(packets, joining))), byFlow(packets));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("join: what is joined can be taken apart again, into the same packets in the same order", () => {
  fc.assert(
    fc.property(anyPackets, fc.constantFrom(...joinings), (packets, joining) => {
      const flags = (packet: Uint8Array) =>
        // the first packet of a frame keeps the last one's PSH
        protocolOf(packet) === 6 && packet.length >= headerOf(packet) + 20 && isIntact(packet)
          ? withTransportChecksum(
            withByte(packet, headerOf(packet) + 13, packet[headerOf(packet) + 13]! & ~PSH),
          )
          : packet;
      const undone = joinAndUndo(packets, joining);
      for (const packet of undone) assert.equal(check(packet, isIpv6(packet) ? 6 : 4), "ok");
      assert.deepEqual(byFlow(undone.map(flags)), byFlow(packets.map(flags)));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("join: what is not to be joined goes through byte by byte", () => {
  fc.assert(fc.property(anyPackets, (packets) => {
    const frames = join(packets, { tcp: false, udp: false });
    assert.deepEqual(frames.map(({ packet }) => packet), packets);
    assert.deepEqual(
      join(packets, { tcp: false }).filter(({ count }) => count > 1).map(({ packet }) => protocolOf(packet))
        .filter((
          p,
        ) => p !== 17),
      [],
    );
    assert.deepEqual(
      join(packets, { udp: false }).filter(({ count }) => count > 1).map(({ packet }) => protocolOf(packet))
        .filter((
          p,
        ) => p !== 6),
      [],
    );
  }));
});

/** A super-packet's segments and the offload header that says how to get them. */
function segments(
  isTcp: boolean,
  fields: Tcp & Udp,
  { length, size, ipv6 = false }: { length: number; size: number; ipv6?: boolean },
) {
  const plain = isTcp ? tcp(filler(length), fields) : udp(filler(length), fields);
  const packet = ipv6 ? translated(plain) : plain;
  const offload = { flags: 1, type: isTcp ? TCP4 : UDP_L4, headers: 0, size, start: 0, offset: 0 };
  return { packet, list: referenceSplit(offload, packet) };
}

const lengths = fc.record({
  length: fc.integer({ min: 1, max: 60000 }),
  size: fc.integer({ min: 1000, max: 1460 }),
  ipv6: fc.boolean(),
});

Deno.test("join: the segments of a TCP super-packet give that super-packet again", () => {
  fc.assert(
    fc.property(joinableTcp, fc.boolean(), lengths, (fields, push, shape) => {
      const flags = fields.flags! | (push ? PSH : 0);
      const { packet, list } = segments(true, { ...fields, flags }, shape);
      const frames = join(list);
      assert.equal(frames.length, 1);
      assert.deepEqual(withTransportChecksum(frames[0]!.packet), packet);
    }),
    { numRuns: 300 },
  );
});

Deno.test("join: the segments of a UDP super-packet give that super-packet again", () => {
  fc.assert(
    fc.property(joinableUdp, lengths, (fields, shape) => {
      const { packet, list } = segments(false, fields, shape);
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
  const four = Array.from({ length: 4 }, (_, i) => tcp(filler(13100), { sequence: 1000 + i * 13100 }));
  const last = (length: number) => tcp(filler(length), { sequence: 1000 + 4 * 13100 });
  assert.deepEqual(join([...four, last(13095)]).map(({ packet }) => packet.length), [65535]);
  assert.deepEqual(join([...four, last(13096)]).map(({ count }) => count), [4, 1]);
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

Deno.test("join: no packets give no frames", () => assert.deepEqual(join([]), []));
