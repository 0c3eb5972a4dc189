/** The probes' packets: what is written is read, nothing else is, and no answer is larger than its question. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type Family, formatIp, parseIp } from "../../net/ip.ts";
import { decodeEchoReply, encodeEcho } from "../../probe/icmp.ts";
import {
  decode,
  encode,
  HEADERS,
  MAX_TARGETS,
  type Packet,
  PAGE,
  SMALLEST_PROBE,
} from "../../probe/packet.ts";

const token = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => bytes.toHex());
const round = fc.integer({ min: 1, max: 0xffffffff });
/** As `net/ip.ts` writes it. */
const addresses = { 4: fc.ipV4(), 6: fc.ipV6().map((text) => formatIp(parseIp(text))) };
const resultOf = (address: fc.Arbitrary<string>) =>
  fc.record({
    address,
    how: fc.constantFrom("udp" as const, "icmp" as const),
    sent: fc.integer({ min: 5, max: 255 }),
    received: fc.integer({ min: 0, max: 5 }),
    heard: fc.integer({ min: 0, max: 255 }),
    fastest: fc.nat(),
    average: fc.nat(),
    slowest: fc.nat(),
    mtu: fc.integer({ min: 0, max: 65535 }),
    tooLarge: fc.integer({ min: 0, max: 65535 }),
  }, { noNullPrototype: true });
const packetOf = (family: Family): fc.Arbitrary<Packet> =>
  fc.oneof(
    fc.record({ kind: fc.constantFrom("probe" as const, "reply" as const), token, round }, {
      noNullPrototype: true,
    }),
    fc.record({
      kind: fc.constant("question" as const),
      token,
      round,
      page: fc.integer({ min: 0, max: 65535 }),
      targets: fc.array(addresses[family], { maxLength: MAX_TARGETS[family] }),
    }, { noNullPrototype: true }),
    fc.record({
      kind: fc.constant("answer" as const),
      token,
      round,
      state: fc.constantFrom("working" as const, "done" as const, "busy" as const, "refused" as const),
      page: fc.integer({ min: 0, max: 65535 }),
      pages: fc.integer({ min: 0, max: 65535 }),
      results: fc.array(resultOf(addresses[family]), { maxLength: PAGE[family] }),
    }, { noNullPrototype: true }),
  );

const families = [4, 6] as const;

for (const family of families) {
  const packet = packetOf(family);
  const of = { family };

  Deno.test(`probe packets, IPv${family}: what is written is what is read`, () => {
    fc.assert(fc.property(packet, (one) => assert.deepEqual(decode(encode(one, of), family), one)));
  });

  Deno.test(`probe packets, IPv${family}: a probe fills a packet of the size that is tested, headers and all`, () => {
    const [udp, ip] = { 4: [28, 20], 6: [48, 40] }[family] as [number, number];
    fc.assert(fc.property(fc.integer({ min: SMALLEST_PROBE[family], max: 9000 }), (size) => {
      const probe = { kind: "probe", token: "0011223344556677", round: 0 } as const;
      assert.equal(encode(probe, { family, size }).length + udp, size);
      assert.deepEqual(decode(encode(probe, { family, size }), family), probe);
      assert.equal(encodeEcho(probe.token, { family, size }).length + ip, size);
    }));
  });

  Deno.test(`probe packets, IPv${family}: whatever bytes come, they are read as what they say or not at all`, () => {
    const damaged = fc.tuple(packet, fc.nat(), fc.nat({ max: 255 }), fc.nat()).map(([one, at, byte, cut]) => {
      const bytes = encode(one, of);
      bytes[at % bytes.length] = byte;
      return bytes.subarray(0, bytes.length - cut % 3);
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 2000 }), damaged), (bytes) => {
        const read = decode(bytes, family);
        if (read === undefined || read.kind === "probe" || read.kind === "question") return;
        assert.deepEqual(encode(read, of), bytes.slice());
      }),
      { numRuns: 2000 },
    );
  });

  Deno.test(`probe packets, IPv${family}: no answer is larger than its question, and no reply than its probe`, () => {
    const question = encode(
      { kind: "question", token: "0011223344556677", round: 1, page: 0, targets: [] },
      of,
    );
    fc.assert(fc.property(packet, (one) => {
      if (one.kind === "answer") assert.ok(encode(one, of).length <= question.length);
      if (one.kind === "reply") {
        assert.ok(encode(one, of).length <= encode({ ...one, kind: "probe" }, of).length);
      }
    }));
    assert.equal(question.length + HEADERS[family], 576, "every IPv4 host takes it");
  });

  Deno.test(`probe packets, IPv${family}: the other family's questions and answers are none`, () => {
    const other = family === 4 ? 6 : 4;
    fc.assert(fc.property(packetOf(other), (one) => {
      const isAddressed = one.kind === "question" || one.kind === "answer" && one.results.length === 1;
      if (isAddressed) assert.equal(decode(encode(one, { family: other }), family), undefined);
    }));
  });
}

Deno.test("probe packets: an echo request has a checksum that sums up, and its reply gives the token back", () => {
  fc.assert(fc.property(token, fc.integer({ min: 36, max: 3000 }), (one, size) => {
    const bytes = encodeEcho(one, { family: 4, size });
    let sum = 0;
    for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) + (bytes[i + 1] ?? 0);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    assert.equal(sum, 0xffff);
    bytes[0] = 0;
    assert.equal(decodeEchoReply(Uint8Array.of(0x45, ...Array(19).fill(0), ...bytes), 4), one);
    bytes[0] = 8;
    assert.equal(decodeEchoReply(Uint8Array.of(0x45, ...Array(19).fill(0), ...bytes), 4), undefined);
  }));
});

Deno.test("probe packets: an ICMPv6 reply comes without a header and gives the token back; a request is none", () => {
  fc.assert(fc.property(token, fc.integer({ min: 56, max: 3000 }), (one, size) => {
    const bytes = encodeEcho(one, { family: 6, size });
    assert.deepEqual([...bytes.subarray(0, 4)], [128, 0, 0, 0], "the kernel fills in the checksum");
    assert.equal(decodeEchoReply(bytes, 6), undefined);
    bytes[0] = 129;
    assert.equal(decodeEchoReply(bytes, 6), one);
  }));
});

Deno.test("probe packets: any bytes are a reply's or not", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), fc.constantFrom(...families), (bytes, family) => {
    decodeEchoReply(bytes, family);
  }));
});
