/** The splitting of the kernel's super-packets. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { tcpPacket, udpPacket } from "./arbitraries.ts";
import { check, ECN, NEEDS_CHECKSUM, type Offload, split, TCP4, TCP6, UDP_L4 } from "./library.ts";
import { ACK, checksumField, checksumOf, CWR, filler, FIN, pseudoHeader, PSH } from "./packets.ts";
import { headerOf, isIpv6, protocolOf } from "./headers.ts";
import { tcp, udp, withByte, withTransportChecksum, withWord, word } from "./packets.ts";
import { isIntact, referenceSplit } from "./reference.ts";
import { extension, fragmentHeader, ipv6, translated } from "./translate.ts";

/** What the kernel says of a packet whose checksum it left to us. */
function offloadOf(packet: Uint8Array, size: number): Offload {
  const ip = headerOf(packet);
  const isTcp = protocolOf(packet) === 6;
  return {
    flags: NEEDS_CHECKSUM,
    type: size === 0 ? 0 : !isTcp ? UDP_L4 : isIpv6(packet) ? TCP6 : TCP4,
    headers: ip + (isTcp ? (packet[ip + 12]! >> 4) * 4 : 8),
    size,
    start: ip,
    offset: isTcp ? 16 : 6,
  };
}

/** The packet as the kernel hands it over: only the pseudo header's sum stands in its checksum field. */
const unfinished = (packet: Uint8Array) =>
  withWord(packet, checksumField(packet), 0xffff - checksumOf(pseudoHeader(packet)));

/** As they are, or as IPv6 packets: options become an extension header there. What gets too long for that is left out. */
const either = (packets: fc.Arbitrary<Uint8Array>) =>
  fc.tuple(packets, fc.boolean()).filter(([packet, ipv6]) => !ipv6 || packet.length < 65400).map((
    [packet, ipv6],
  ) => ipv6 ? translated(packet) : packet);

function equals(packet: Uint8Array, size: number): Uint8Array[] {
  const offload = offloadOf(packet, size);
  const actual = split(offload, unfinished(packet));
  const expected = referenceSplit(offload, packet);
  assert.equal(actual?.length, expected.length);
  expected.forEach((one, i) => {
    if (Buffer.compare(actual![i]!, one) !== 0) assert.deepEqual(actual![i], one, `segment ${i}`);
  });
  return actual!;
}

Deno.test("split: TCP super-packets of any shape equal the reference", () => {
  fc.assert(
    fc.property(
      either(tcpPacket()),
      fc.integer({ min: 400, max: 9000 }),
      (packet, size) => void equals(packet, size),
    ),
    { numRuns: 300 },
  );
});

Deno.test("split: UDP super-packets of any shape equal the reference", () => {
  fc.assert(
    fc.property(
      either(udpPacket()),
      fc.integer({ min: 400, max: 9000 }),
      (packet, size) => void equals(packet, size),
    ),
    { numRuns: 300 },
  );
});

Deno.test("split: segments of any size down to one byte equal the reference", () => {
  const packets = either(fc.oneof(tcpPacket(1500), udpPacket(1500)));
  fc.assert(
    fc.property(packets, fc.integer({ min: 1, max: 40 }), (packet, size) => void equals(packet, size)),
    {
      numRuns: 200,
    },
  );
});

Deno.test("split: every segment is a well-formed packet with right checksums", () => {
  fc.assert(
    fc.property(
      either(fc.oneof(tcpPacket(), udpPacket())),
      fc.integer({ min: 500, max: 2000 }),
      (packet, size) => {
        for (const segment of split(offloadOf(packet, size), unfinished(packet))!) {
          assert.equal(check(segment, isIpv6(segment) ? 6 : 4), "ok");
          assert.ok(isIntact(segment));
        }
      },
    ),
    { numRuns: 200 },
  );
});

for (const [name, make, headers] of [["TCP", tcp, 40], ["UDP", udp, 28]] as const) {
  Deno.test(`split: ${name} packets of every length from none to 65,535 bytes`, () => {
    for (let length = 0; length <= 65535 - headers; length += length < 3000 ? 1 : 997) {
      equals(make(filler(length, length)), 1400);
    }
    equals(make(filler(65535 - headers)), 1400);
  });
}

Deno.test("split: more than 64 segments, of which the last is shorter", () => {
  assert.equal(equals(tcp(filler(65 * 536 - 1)), 536).length, 65);
  assert.equal(equals(udp(filler(200 * 100 + 1)), 100).length, 201);
});

Deno.test("split: the identification and the sequence number begin again at 0", () => {
  const segments = equals(tcp(filler(1000), { id: 0xfffe, sequence: 0xffffff9c }), 100);
  assert.deepEqual(segments.slice(0, 4).map((one) => word(one, 4)), [0xfffe, 0xffff, 0, 1]);
  assert.deepEqual(segments.slice(0, 3).map((one) => new DataView(one.buffer).getUint32(24)), [
    0xffffff9c,
    0,
    100,
  ]);
});

Deno.test("split: FIN and PSH are the last segment's, CWR is the first one's, with and without the ECN mark", () => {
  const packet = tcp(filler(300), { flags: ACK | FIN | PSH | CWR });
  for (const mark of [0, ECN]) {
    const offload = { ...offloadOf(packet, 100), type: TCP4 | mark };
    const flags = split(offload, unfinished(packet))!.map((one) => one[33]);
    assert.deepEqual(flags, [ACK | CWR, ACK, ACK | FIN | PSH]);
  }
});

Deno.test("split: a packet that is none stays as it is, and gets the checksum that the kernel left out", () => {
  fc.assert(
    fc.property(either(fc.oneof(tcpPacket(3000), udpPacket(3000))), (packet) => void equals(packet, 0)),
    {
      numRuns: 300,
    },
  );
  const asItIs = { flags: 0, type: 0, headers: 0, size: 0, start: 0, offset: 0 };
  fc.assert(fc.property(fc.uint8Array({ minLength: 20, maxLength: 200 }), (bytes) => {
    assert.deepEqual(split(asItIs, bytes), [bytes]);
  }));
});

Deno.test("split: a UDP checksum of 0 is sent as 0xffff, alone and in a segment", () => {
  // The last two bytes are chosen so that the checksum over all others is cancelled.
  const cancelled = (length: number) => {
    const packet = udp(new Uint8Array([...filler(length - 2), 0, 0]));
    return udp(new Uint8Array([...filler(length - 2), ...packet.subarray(26, 28)]));
  };
  const alone = cancelled(50);
  assert.equal(word(alone, 26), 0xffff);
  assert.equal(word(equals(alone, 0)[0]!, 26), 0xffff);
  const [segment] = equals(cancelled(50), 50);
  assert.equal(word(segment!, 26), 0xffff);
});

Deno.test("split: what disagrees with its offload header is refused", () => {
  const packet = tcp(filler(500));
  const good = offloadOf(packet, 100);
  const refused = (offload: Partial<Offload>, bytes = packet) =>
    assert.equal(split({ ...good, ...offload }, bytes), undefined, JSON.stringify(offload));
  refused({ size: 0 });
  refused({ type: 3 }); // VIRTIO_NET_HDR_GSO_UDP: fragments, which are never asked for
  refused({ type: UDP_L4 });
  refused({ type: 77 });
  refused({ type: 0, start: packet.length });
  refused({ type: 0, start: 65535, offset: 65535 });
  refused({ type: 0, start: 20, offset: packet.length - 21 });
  refused({ type: 0, start: 0, offset: 10 });
  refused({ type: TCP4 }, udp(filler(500)));
  refused({}, tcp(filler(500), { fragment: 0x2000 }));
  refused({}, tcp(filler(500), { fragment: 7 }));
  refused({}, withByte(packet, 32, 0x40));
  refused({}, withByte(tcp(filler(3)), 32, 0xf0));
  refused({}, tcp(new Uint8Array(0)).subarray(0, 39));
  refused({ type: UDP_L4 }, udp(new Uint8Array(0)).subarray(0, 27));
});

Deno.test("split: IPv6 behind extension headers, up to as many as there is room for", () => {
  const segment = tcp(filler(3000), { tcpOptions: filler(40) }).subarray(20);
  const behind = (content: Uint8Array, first = 60) =>
    withTransportChecksum(ipv6(first, new Uint8Array([...extension(6, content), ...segment])));
  for (const length of [6, 14, 86]) equals(behind(filler(length)), 1000);
  equals(behind(filler(6), 0), 1000);
  const refused = (packet: Uint8Array) =>
    assert.equal(split(offloadOf(packet, 1000), unfinished(packet)), undefined);
  refused(behind(filler(94)));
  // Of a routed packet the pseudo header has another destination than the header.
  refused(behind(new Uint8Array(6), 43));
  refused(ipv6(44, new Uint8Array([...fragmentHeader(6, 0, true), ...segment])));
});

Deno.test("split: a super-packet of one family is not taken for one of the other", () => {
  for (const [packet, type] of [[tcp(filler(500)), TCP6], [translated(tcp(filler(500))), TCP4]] as const) {
    assert.equal(split({ ...offloadOf(packet, 100), type }, packet), undefined);
  }
});
