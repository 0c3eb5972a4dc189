/** The probes' packets: what is written is read, nothing else is, and no answer is larger than its question. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeEchoReply, encodeEcho } from "../../probe/icmp.ts";
import { decode, encode, HEADERS, MAX_TARGETS, type Packet, PAGE } from "../../probe/packet.ts";

const token = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => bytes.toHex());
const round = fc.integer({ min: 1, max: 0xffffffff });
const address = fc.ipV4();
const result = fc.record({
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
const packet: fc.Arbitrary<Packet> = fc.oneof(
  fc.record({ kind: fc.constantFrom("probe" as const, "reply" as const), token, round }, {
    noNullPrototype: true,
  }),
  fc.record({
    kind: fc.constant("question" as const),
    token,
    round,
    page: fc.integer({ min: 0, max: 65535 }),
    targets: fc.array(address, { maxLength: MAX_TARGETS }),
  }, { noNullPrototype: true }),
  fc.record({
    kind: fc.constant("answer" as const),
    token,
    round,
    state: fc.constantFrom("working" as const, "done" as const, "busy" as const, "refused" as const),
    page: fc.integer({ min: 0, max: 65535 }),
    pages: fc.integer({ min: 0, max: 65535 }),
    results: fc.array(result, { maxLength: PAGE }),
  }, { noNullPrototype: true }),
);

Deno.test("probe packets: what is written is what is read", () => {
  fc.assert(fc.property(packet, (one) => assert.deepEqual(decode(encode(one)), one)));
});

Deno.test("probe packets: a probe fills a packet of the size that is tested, headers and all", () => {
  fc.assert(fc.property(fc.integer({ min: 48, max: 9000 }), (size) => {
    const probe = { kind: "probe", token: "0011223344556677", round: 0 } as const;
    assert.equal(encode(probe, size).length + HEADERS, size);
    assert.deepEqual(decode(encode(probe, size)), probe);
    assert.equal(encodeEcho(probe.token, size).length + 20, size);
  }));
});

Deno.test("probe packets: whatever bytes come, they are read as what they say or not at all", () => {
  const damaged = fc.tuple(packet, fc.nat(), fc.nat({ max: 255 }), fc.nat()).map(([one, at, byte, cut]) => {
    const bytes = encode(one);
    bytes[at % bytes.length] = byte;
    return bytes.subarray(0, bytes.length - cut % 3);
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 2000 }), damaged), (bytes) => {
      const read = decode(bytes);
      if (read === undefined || read.kind === "probe" || read.kind === "question") return;
      assert.deepEqual(encode(read), bytes.slice());
    }),
    { numRuns: 2000 },
  );
});

Deno.test("probe packets: no answer is larger than its question, and no reply than its probe", () => {
  const question = encode({ kind: "question", token: "0011223344556677", round: 1, page: 0, targets: [] });
  fc.assert(fc.property(packet, (one) => {
    if (one.kind === "answer") assert.ok(encode(one).length <= question.length);
    if (one.kind === "reply") assert.ok(encode(one).length <= encode({ ...one, kind: "probe" }).length);
  }));
  assert.ok(question.length + HEADERS <= 576, "every IPv4 host takes it");
});

Deno.test("probe packets: an echo request has a checksum that sums up, and its reply gives the token back", () => {
  fc.assert(fc.property(token, fc.integer({ min: 36, max: 3000 }), (one, size) => {
    const bytes = encodeEcho(one, size);
    let sum = 0;
    for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) + (bytes[i + 1] ?? 0);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    assert.equal(sum, 0xffff);
    bytes[0] = 0;
    assert.equal(decodeEchoReply(Uint8Array.of(0x45, ...Array(19).fill(0), ...bytes)), one);
    bytes[0] = 8;
    assert.equal(decodeEchoReply(Uint8Array.of(0x45, ...Array(19).fill(0), ...bytes)), undefined);
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => void decodeEchoReply(bytes)));
});
