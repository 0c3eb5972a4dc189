/** The judging of packets from the wire, and what is changed in every one that is forwarded. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ip } from "./arbitraries.ts";
import { check, checksum, decrementTtl, setChecksum } from "./library.ts";
import { checksumOf, filler, ipv4, withByte, withHeaderChecksum, withWord } from "./packets.ts";
import { referenceCheck, referenceCheck6 } from "./reference.ts";
import { ipv6, translated } from "./translate.ts";

const packet = fc.tuple(ip, fc.nat(300)).map(([fields, length]) => ipv4(17, filler(length), fields));

Deno.test("check: a well-formed packet passes, with any options", () => {
  fc.assert(fc.property(packet, (bytes) => assert.equal(check(bytes), "ok")));
});

Deno.test("check: any bytes are judged as the reference judges them", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      assert.equal(check(bytes), referenceCheck(bytes));
      // Most random bytes have a wrong version; these get further.
      const closer = withByte(bytes, 0, 0x40 | (bytes[0] ?? 0) & 15);
      assert.equal(check(closer), referenceCheck(closer));
    }),
    { numRuns: 5000 },
  );
});

Deno.test("check: a packet with one or two bytes changed is judged as the reference judges it", () => {
  const change = fc.tuple(fc.nat(23), fc.nat(255));
  fc.assert(
    fc.property(packet, fc.array(change, { maxLength: 2 }), fc.boolean(), (bytes, changes, mended) => {
      let changed = bytes;
      for (const [at, value] of changes) if (at < bytes.length) changed = withByte(changed, at, value);
      if (mended && (changed[0]! & 15) >= 5 && (changed[0]! & 15) * 4 <= changed.length) {
        changed = withHeaderChecksum(changed);
      }
      assert.equal(check(changed), referenceCheck(changed));
    }),
    { numRuns: 5000 },
  );
});

Deno.test("check: of several faults the first in order is told", () => {
  const good = ipv4(17, filler(40));
  const faulty = [
    withByte(good, 8, 1),
    withByte(good, 10, good[10]! ^ 1),
    withWord(good, 2, good.length + 1),
    withByte(good, 0, 0x44),
    withByte(good, 0, 0x65),
  ];
  const told = ["ttl", "checksum", "total length", "header length", "version"];
  // Each packet has its own fault and, further on, those of all before it.
  faulty.forEach((_, i) => {
    const all = new Uint8Array(withHeaderChecksum(faulty[0]!));
    for (const [n, at] of [[1, 10], [2, 3], [3, 0], [4, 0]] as const) {
      if (n <= i) all[at] = faulty[n]![at]!;
    }
    assert.equal(check(all), told[i]);
  });
  assert.equal(check(faulty[4]!.subarray(0, 19)), "short");
});

Deno.test("check: every prefix of a packet is refused, and so is every packet with something behind it", () => {
  const good = ipv4(17, filler(80), { options: filler(40) });
  for (let length = 0; length < good.length; length++) {
    assert.notEqual(check(good.subarray(0, length)), "ok", `${length} bytes`);
  }
  assert.equal(check(new Uint8Array([...good, 0])), "total length");
});

Deno.test("checksum: equals RFC 1071 done pair by pair, for every length and any pieces of even length", () => {
  for (let length = 0; length < 300; length++) {
    assert.equal(checksum(filler(length, length)), checksumOf(filler(length, length)), `${length} bytes`);
  }
  for (const length of [1499, 1500, 65533, 65534, 65535]) {
    assert.equal(checksum(filler(length)), checksumOf(filler(length)));
    assert.equal(checksum(new Uint8Array(length).fill(255)), checksumOf(new Uint8Array(length).fill(255)));
  }
  const pieces = fc.array(fc.uint8Array({ maxLength: 40 }).filter(({ length }) => length % 2 === 0), {
    maxLength: 5,
  });
  fc.assert(fc.property(pieces, fc.uint8Array({ maxLength: 99 }), (even, last) => {
    assert.equal(
      checksum(...even, last),
      checksumOf(new Uint8Array([...even, last].flatMap((one) => [...one]))),
    );
  }));
});

Deno.test("checksum: of nothing and of zeros is 0xffff, of ones 0", () => {
  assert.equal(checksum(new Uint8Array(0)), 0xffff);
  assert.equal(checksum(new Uint8Array(20)), 0xffff);
  assert.equal(checksum(new Uint8Array(20).fill(255)), 0);
});

Deno.test("checksum: the header's is set over whatever stood there, options too", () => {
  fc.assert(fc.property(packet, fc.nat(0xffff), (good, wrong) => {
    assert.deepEqual(setChecksum(withWord(good, 10, wrong)), good);
  }));
});

Deno.test("TTL: one less, and the checksum is mended so that it is what a new one would be", () => {
  fc.assert(
    fc.property(packet, (before) => {
      assert.deepEqual(decrementTtl(before), withHeaderChecksum(withByte(before, 8, before[8]! - 1)));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("TTL: every value beside every identification keeps a right checksum right", () => {
  for (let id = 0; id < 0x10000; id += 13) {
    const after = decrementTtl(ipv4(17, new Uint8Array(0), { id, ttl: id % 255 + 1 }));
    assert.equal(checksumOf(after.subarray(0, 20)), 0, `id ${id}`);
  }
});

Deno.test("TTL: a wrong checksum stays wrong", () => {
  fc.assert(fc.property(packet, fc.integer({ min: 1, max: 0xfffe }), (good, error) => {
    const wrong = withWord(good, 10, (good[10]! * 256 + good[11]!) ^ error);
    fc.pre(check(wrong) === "checksum");
    assert.notEqual(checksumOf(decrementTtl(wrong).subarray(0, (wrong[0]! & 15) * 4)), 0);
  }));
});

Deno.test("check: an IPv6 packet passes, and any bytes are judged as the reference judges them", () => {
  fc.assert(fc.property(packet, (bytes) => assert.equal(check(translated(bytes), 6), "ok")));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.boolean(), (bytes, mended) => {
      let closer = withByte(bytes, 0, 0x60 | (bytes[0] ?? 0) & 15);
      if (mended && bytes.length >= 40) closer = withWord(closer, 4, bytes.length - 40);
      assert.equal(check(bytes, 6), referenceCheck6(bytes));
      assert.equal(check(closer, 6), referenceCheck6(closer));
    }),
    { numRuns: 5000 },
  );
});

Deno.test("check: of several faults of an IPv6 packet the first in order is told, and a packet of the other family is none", () => {
  const expired = withByte(ipv6(17, filler(40)), 7, 1);
  const longer = withWord(expired, 4, 41);
  assert.deepEqual(
    [expired, longer, withByte(longer, 0, 0x45), longer.subarray(0, 39)].map((one) => check(one, 6)),
    ["ttl", "total length", "version", "short"],
  );
  assert.equal(check(ipv6(17, filler(40))), "version");
  assert.equal(check(ipv4(17, filler(40)), 6), "version");
});

Deno.test("hop limit: one less, and nothing else changes", () => {
  for (let hopLimit = 1; hopLimit < 256; hopLimit++) {
    const before = ipv6(17, filler(40), { hopLimit });
    assert.deepEqual(decrementTtl(before), withByte(before, 7, hopLimit - 1));
  }
});
