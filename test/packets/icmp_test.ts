/** ICMP errors, as a router sends them. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ip, tcpPacket, udpPacket } from "./arbitraries.ts";
import { check, type IcmpError, icmpError, icmpLimiter, icmpReasons } from "./library.ts";
import {
  checksumOf,
  DF,
  filler,
  icmp,
  type Ip,
  ipv4,
  MF,
  udp,
  withByte,
  withHeaderChecksum,
  withWord,
} from "./packets.ts";
import { mayBeTold, referenceIcmp } from "./reference.ts";
import { extension, fragmentHeader, icmp6, ipv6, translated, translatedAddress } from "./translate.ts";

const source = [10, 244, 1, 0];
const errors = icmpReasons.map((reason) => ({ reason, mtu: reason === "too big" ? 1400 : 0, source }));
const anyError = fc.constantFrom(...errors);
const any = errors[0]!;

/** Without what a router may choose: ToS, identification with DF, and the TTL. */
function comparable(message: Uint8Array): Uint8Array {
  const bare = new Uint8Array(message);
  bare[1] = 0;
  bare.fill(0, 4, 9);
  return withHeaderChecksum(bare);
}

function toldLikeReference(packet: Uint8Array, error: IcmpError): void {
  const message = icmpError(error, packet);
  assert.equal(message !== undefined, mayBeTold(packet));
  if (message === undefined) return;
  assert.equal(check(message, 6), "ok");
  assert.ok(message[7]! >= 64);
  assert.deepEqual(withByte(message, 7, 0), referenceIcmp(error, packet));
}

Deno.test("icmp: the error about any packet equals the reference, or is not sent, as RFC 1812 says", () => {
  const protocols = fc.oneof(fc.constantFrom(1, 2, 6, 17), fc.nat(255));
  const other = fc.tuple(ip, protocols, fc.nat(700)).map(([fields, protocol, length]) =>
    // A type of ICMP that is known neither as an error nor as a query may be either.
    ipv4(protocol, new Uint8Array([[0, 3, 4, 5, 8, 11, 12, 13][length % 8]!, ...filler(length)]), fields)
  );
  fc.assert(
    fc.property(fc.oneof(tcpPacket(3000), udpPacket(3000), other), anyError, (packet, error) => {
      toldLikeReference(translated(packet), { ...error, source: translatedAddress(error.source) });
      const message = icmpError(error, packet);
      assert.equal(message !== undefined, mayBeTold(packet));
      if (message === undefined) return;
      assert.equal(check(message), "ok");
      assert.equal(checksumOf(message.subarray(20)), 0);
      assert.deepEqual(comparable(message), referenceIcmp(error, packet));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("icmp: as much of the packet is quoted as fits into 576 bytes", () => {
  for (let length = 28; length <= 700; length++) {
    const packet = udp(filler(length - 28));
    const message = icmpError(any, packet)!;
    assert.equal(message.length, Math.min(576, 28 + length));
    assert.deepEqual(message.subarray(28), packet.subarray(0, message.length - 28));
  }
  assert.equal(icmpError(any, udp(filler(65507)))!.length, 576);
});

Deno.test("icmp: it says which MTU fits, comes from this host's address, and lives for many hops", () => {
  const message = icmpError(errors[2]!, udp(filler(2000)))!;
  const view = new DataView(message.buffer);
  assert.deepEqual([...message.subarray(20, 22), view.getUint16(24), view.getUint16(26)], [3, 4, 0, 1400]);
  assert.deepEqual([...message.subarray(12, 20)], [...source, 10, 244, 2, 7]);
  assert.ok(message[8]! >= 64);
  assert.equal(message[1], 0xc0); // RFC 1812, 4.3.2.5: precedence 6
});

const told = (packet: Uint8Array) => icmpError(any, packet) !== undefined;

Deno.test("icmp: never about an ICMP error, but about queries", () => {
  for (const type of [3, 4, 5, 11, 12]) assert.equal(told(icmp(type, 0, filler(40))), false, `type ${type}`);
  for (const type of [0, 8, 13, 14, 17, 18]) {
    assert.equal(told(icmp(type, 0, filler(40))), true, `type ${type}`);
  }
  assert.equal(told(ipv4(1, new Uint8Array(0))), false, "no type at all");
});

Deno.test("icmp: about a first fragment, and never about a later one", () => {
  assert.equal(told(udp(filler(80), { fragment: MF })), true);
  for (const offset of [1, 0x1000, 0x1fff]) {
    assert.equal(told(udp(filler(80), { fragment: offset })), false);
    assert.equal(told(udp(filler(80), { fragment: MF | offset })), false);
  }
});

Deno.test("icmp: never about what was for many, or to what is no host's address", () => {
  const to = (destination: number[]) => told(udp(filler(80), { destination }));
  assert.deepEqual([[224, 0, 0, 1], [239, 1, 2, 3], [240, 0, 0, 1], [255, 255, 255, 255]].map(to), [
    false,
    false,
    false,
    false,
  ]);
  assert.deepEqual([[223, 255, 255, 255], [1, 0, 0, 1], [10, 0, 0, 1]].map(to), [true, true, true]);
  const from = (address: number[]) => told(udp(filler(80), { source: address }));
  assert.deepEqual(
    [[0, 0, 0, 0], [0, 1, 2, 3], [127, 0, 0, 1], [127, 255, 0, 1], [224, 0, 0, 1], [240, 0, 0, 1], [
      255,
      255,
      255,
      255,
    ]].map(from),
    Array(7).fill(false),
  );
  assert.deepEqual(
    [[1, 0, 0, 0], [126, 1, 1, 1], [128, 0, 0, 1], [223, 255, 255, 254]].map(from),
    Array(4).fill(true),
  );
});

Deno.test("icmp: packets with options are quoted with them, and their ICMP type is found behind them", () => {
  const fields: Ip = { options: new Uint8Array([1, 1, 3, 0, ...filler(36)]), fragment: DF };
  assert.equal(told(icmp(8, 0, filler(40), fields)), true);
  assert.equal(told(icmp(3, 0, filler(40), fields)), false);
  // What looks like an echo request without looking behind the options.
  assert.equal(told(withByte(withWord(icmp(11, 0, filler(40), fields), 20, 0x0800), 22, 0)), false);
});

const any6 = { ...any, source: translatedAddress(source) };
const told6 = (packet: Uint8Array) => icmpError(any6, packet) !== undefined;

Deno.test("icmp: of an IPv6 packet as much is quoted as fits into 1,280 bytes", () => {
  for (const length of [40, 41, 1231, 1232, 1233, 1500, 65535]) {
    const packet = ipv6(17, filler(length - 40));
    const message = icmpError({ ...any6, reason: "too big", mtu: 70_000 }, packet)!;
    assert.equal(message.length, Math.min(1280, 48 + length));
    assert.deepEqual(message.subarray(48), packet.subarray(0, message.length - 48));
    assert.equal(new DataView(message.buffer).getUint32(44), 70_000);
  }
});

Deno.test("icmp: never about an ICMPv6 error or a redirect, but about queries and what is no ICMPv6", () => {
  for (const type of [0, 1, 2, 3, 4, 100, 127, 137]) assert.equal(told6(icmp6(type, 0, filler(40))), false);
  for (const type of [128, 129, 135, 136, 255]) assert.equal(told6(icmp6(type, 0, filler(40))), true);
  assert.equal(told6(ipv6(58, new Uint8Array(0))), false, "no type at all");
  for (const next of [6, 17, 50, 59, 253]) assert.equal(told6(ipv6(next, filler(40))), true);
});

Deno.test("icmp: an ICMPv6 error is found behind extension headers, and where they are cut off nobody is told", () => {
  const error = new Uint8Array([1, 0, ...filler(40)]), query = new Uint8Array([128, 0, ...filler(40)]);
  for (const next of [0, 43, 60]) {
    const behind = (message: Uint8Array) =>
      ipv6(next, new Uint8Array([...extension(60, filler(20)), ...extension(58, filler(6)), ...message]));
    assert.deepEqual([told6(behind(error)), told6(behind(query))], [false, true], `extension ${next}`);
    assert.equal(told6(ipv6(next, filler(7))), false);
    assert.equal(told6(ipv6(next, new Uint8Array([17, 1, 0, 0, 0, 0, 0, 0]))), false);
  }
  const authenticated = (message: Uint8Array) => ipv6(51, new Uint8Array([58, 1, ...filler(10), ...message]));
  assert.deepEqual([told6(authenticated(error)), told6(authenticated(query))], [false, true]);
  const many = new Uint8Array(Array.from({ length: 9 }, () => [...extension(60, filler(6))]).flat());
  assert.equal(told6(ipv6(60, new Uint8Array([...many, ...query]))), false, "a chain that may have no end");
});

Deno.test("icmp: about fragments of IPv6, but for those that may be of an ICMPv6 error", () => {
  const of = (next: number, offset: number) =>
    told6(ipv6(44, new Uint8Array([...fragmentHeader(next, offset, true), 128, ...filler(40)])));
  assert.deepEqual([of(17, 0), of(17, 9), of(58, 0), of(58, 9)], [true, true, true, false]);
});

Deno.test("icmp: never about what was for many, or to what is no host's address of IPv6", () => {
  const address = (...words: number[]) => [words[0]! >> 8, words[0]! & 255, ...Array(13).fill(0), words[1]!];
  const from = (one: number[]) => told6(ipv6(17, filler(40), { source: one }));
  const no = [address(0, 0), address(0, 1), address(0xff02, 1), address(0xfe80, 1), address(0xfebf, 1)];
  assert.deepEqual(no.map(from), no.map(() => false));
  const yes = [address(0, 2), address(0x2001, 0), address(0xfec0, 1), address(0xfe7f, 1), address(0xfd00, 1)];
  assert.deepEqual(yes.map(from), yes.map(() => true));
  assert.equal(told6(ipv6(17, filler(40), { destination: address(0xff0e, 1) })), false);
});

const millisecond = 1_000_000n;

Deno.test("limit: 50 at once, then one a millisecond", () => {
  const allowed = icmpLimiter();
  const start = 10n ** 15n;
  assert.equal(Array.from({ length: 200 }, () => allowed(start)).filter(Boolean).length, 50);
  assert.equal(allowed(start + millisecond - 1n), false);
  assert.equal(allowed(start + millisecond), true);
  assert.equal(allowed(start + millisecond), false);
  const second = Array.from(
    { length: 10_000 },
    (_, i) => allowed(start + millisecond + BigInt(i + 1) * 100_000n),
  );
  assert.equal(second.filter(Boolean).length, 1000);
});

Deno.test("limit: after a pause 50 again and no more, however long it was", () => {
  const allowed = icmpLimiter();
  for (const pause of [50n * millisecond, 3600n * 1000n * millisecond, 2n ** 62n]) {
    const now = 10n ** 18n + pause;
    assert.equal(Array.from({ length: 200 }, () => allowed(now)).filter(Boolean).length, 50);
  }
});

Deno.test("limit: in no time more than 50 and one a millisecond, whatever the moments", () => {
  fc.assert(fc.property(fc.array(fc.nat(3_000_000), { minLength: 50, maxLength: 400 }), (steps) => {
    const allowed = icmpLimiter();
    let now = 10n ** 12n;
    const sent: bigint[] = [];
    for (const step of steps) {
      now += BigInt(step);
      if (allowed(now)) sent.push(now);
    }
    sent.forEach((begin, i) => {
      for (let j = i + 1; j < sent.length; j++) {
        assert.ok(BigInt(j - i + 1) <= 50n + (sent[j]! - begin) / millisecond + 1n);
      }
    });
  }));
});
