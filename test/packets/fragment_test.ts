/** The cutting of packets into fragments. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ip, readableOptions } from "./arbitraries.ts";
import { check, fragment } from "./library.ts";
import { headerOf } from "./headers.ts";
import { filler, ipv4, MF, udp, withHeaderChecksum, withWord, word } from "./packets.ts";
import { optionsOf, reassemble } from "./reference.ts";

const packets = fc.tuple(ip, readableOptions, fc.integer({ min: 1, max: 5000 }), fc.nat(100)).map(
  ([fields, options, length, position]) =>
    ipv4(17, filler(length), {
      ...fields,
      options,
      fragment: position < 50 ? 0 : (position % 2) * MF | position,
    }),
);
const mtus = fc.integer({ min: 68, max: 1600 });

Deno.test("fragment: any packet comes together again from its fragments, with any options", () => {
  fc.assert(
    fc.property(
      packets,
      mtus,
      (packet, most) => assert.deepEqual(reassemble(fragment(packet, most)), packet),
    ),
    { numRuns: 1000 },
  );
});

Deno.test("fragment: each is a well-formed packet that fits, and as full as it can be", () => {
  fc.assert(
    fc.property(packets, mtus, (packet, most) => {
      const fragments = fragment(packet, most);
      fragments.forEach((one, i) => {
        assert.equal(check(one), "ok");
        assert.ok(one.length <= most);
        const isLast = i === fragments.length - 1;
        assert.equal(word(one, 6) & MF, isLast ? word(packet, 6) & MF : MF);
        assert.equal(word(one, 6) & 0xc000, word(packet, 6) & 0xc000);
        if (!isLast) assert.equal(one.length - headerOf(one), Math.floor((most - headerOf(one)) / 8) * 8);
        assert.deepEqual([one[1], word(one, 4), one[8], one[9]], [
          packet[1],
          word(packet, 4),
          packet[8],
          packet[9],
        ]);
        assert.deepEqual(one.subarray(12, 20), packet.subarray(12, 20));
      });
    }),
    { numRuns: 1000 },
  );
});

Deno.test("fragment: the first has all options, later ones those that say so, in their order", () => {
  fc.assert(
    fc.property(packets, mtus, (packet, most) => {
      const [first, ...later] = fragment(packet, most);
      assert.deepEqual(first!.subarray(20, headerOf(first!)), packet.subarray(20, headerOf(packet)));
      const copied = optionsOf(packet).filter(([type]) => type! >= 0x80);
      for (const one of later) {
        assert.deepEqual(optionsOf(one), copied);
        assert.equal(headerOf(one), 20 + Math.ceil(copied.flatMap((option) => [...option]).length / 4) * 4);
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("fragment: a list of options that cannot be read is not passed on beyond where it can be", () => {
  const packet = ipv4(17, filler(100), {
    options: new Uint8Array([0x94, 4, 0, 0, 0x82, 1, 9, 9, 0x83, 40, 9, 9]),
    fragment: 0,
  });
  const [, second] = fragment(packet, 100);
  assert.deepEqual([...second!.subarray(20, headerOf(second!))], [0x94, 4, 0, 0]);
  fc.assert(fc.property(ip, mtus, (fields, most) => {
    const random = ipv4(17, filler(900), { ...fields, fragment: 0 });
    assert.deepEqual(reassemble(fragment(random, most)), random);
  }));
});

Deno.test("fragment: a packet that fits stays whole", () => {
  const packet = udp(filler(500), { fragment: 0 });
  assert.deepEqual(fragment(packet, packet.length), [packet]);
  assert.deepEqual(fragment(packet, 65535), [packet]);
});

Deno.test("fragment: one byte less than the packet makes two", () => {
  const packet = udp(filler(500), { fragment: 0 });
  const fragments = fragment(packet, packet.length - 1);
  assert.deepEqual(fragments.map(({ length }) => length), [20 + 504, 20 + 4]);
});

Deno.test("fragment: a fragment of a fragment keeps its place, and MF where it was not the last", () => {
  const whole = udp(filler(3992), { fragment: 0 });
  const thirds = fragment(whole, 1500);
  const again = thirds.flatMap((one) => fragment(one, 600));
  assert.deepEqual(reassemble(again), whole);
  assert.deepEqual(again.map((one) => word(one, 6) & MF).filter((more) => more === 0).length, 1);
});

Deno.test("fragment: 64 KiB at the smallest MTU of IPv4", () => {
  const packet = ipv4(17, filler(65515), { fragment: 0 });
  const fragments = fragment(packet, 68);
  assert.equal(fragments.length, Math.ceil(65515 / 48));
  assert.deepEqual(reassemble(fragments), packet);
});

Deno.test("fragment: nothing comes where no payload fits, or there is none", () => {
  const packet = udp(filler(500), { fragment: 0 });
  for (let most = 0; most < 28; most++) assert.deepEqual(fragment(packet, most), [], `${most} bytes`);
  assert.equal(fragment(packet, 28)[0]!.length, 28);
  const withOptions = ipv4(17, filler(100), { options: filler(40), fragment: 0 });
  for (let most = 0; most < 68; most++) assert.deepEqual(fragment(withOptions, most), [], `${most} bytes`);
  assert.deepEqual(fragment(ipv4(17, new Uint8Array(0), { fragment: 0 }), 100), []);
});

Deno.test("fragment: what would lie behind the largest offset is not sent, least of all as if it were the beginning", () => {
  const late = withHeaderChecksum(withWord(udp(filler(2000)), 6, 0x1fff));
  for (const one of fragment(late, 600)) {
    assert.ok((word(one, 6) & 0x1fff) >= 0x1fff, `offset ${word(one, 6) & 0x1fff}`);
    assert.equal(word(one, 6) & 0xc000, 0);
  }
});
