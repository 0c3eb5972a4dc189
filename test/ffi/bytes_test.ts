import assert from "node:assert/strict";
import fc from "fast-check";
import { addressBytes, addressText, macBytes, macText, prefixBytes } from "../../ffi/bytes.ts";
import { formatIp, ipFromBytes, ipToBytes, parseIp } from "../../net/ip.ts";

const four = fc.uint8Array({ minLength: 4, maxLength: 4 });
const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 });

Deno.test("bytes: addresses are written and read as net/ip.ts does", () => {
  fc.assert(fc.property(fc.oneof(four, sixteen), (bytes) => {
    const text = formatIp(ipFromBytes(bytes));
    assert.equal(addressText(bytes), text);
    assert.deepEqual(addressBytes(text), ipToBytes(parseIp(text)));
  }));
});

Deno.test("bytes: what net/ip.ts refuses is refused here too", () => {
  const texts = [
    "",
    ".",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.",
    "01.2.3.4",
    "1.2.3.256",
    "1.2.3.1000",
    "1.2.3.a",
    "::1::",
  ];
  for (const text of texts) {
    assert.throws(() => parseIp(text), { code: "invalid" }, text);
    assert.throws(() => addressBytes(text), { code: "invalid" }, text);
  }
  fc.assert(fc.property(fc.stringMatching(/^[0-9.]{0,16}$/), (text) => {
    const outcome = (read: () => Uint8Array) => {
      try {
        return [...read()];
      } catch {
        return "refused";
      }
    };
    assert.deepEqual(outcome(() => addressBytes(text)), outcome(() => ipToBytes(parseIp(text))));
  }));
});

Deno.test("bytes: a prefix keeps its host bits and needs a length that fits", () => {
  assert.deepEqual(prefixBytes("10.5.1.7/24"), { bytes: Uint8Array.of(10, 5, 1, 7), length: 24 });
  assert.equal(prefixBytes("fd00::/128").length, 128);
  for (
    const text of ["10.5.1.0", "10.5.1.0/", "10.5.1.0/33", "10.5.1.0/x", "fd00::/129", "10.5.1.0/-1", "/24"]
  ) {
    assert.throws(() => prefixBytes(text), { code: "invalid" }, text);
  }
});

Deno.test("bytes: a MAC survives the way there and back, in lower case", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
    assert.deepEqual(macBytes(macText(bytes)), new Uint8Array(bytes));
    assert.deepEqual(macBytes(macText(bytes).toUpperCase()), new Uint8Array(bytes));
  }));
  for (const text of ["", "02:00:00:00:00", "02:00:00:00:00:0g", "02-00-00-00-00-01", "02:00:00:00:00:01:"]) {
    assert.throws(() => macBytes(text), { code: "invalid" }, text);
  }
});

Deno.test("bytes: a scratch buffer is filled for IPv4 and left alone for IPv6", () => {
  const scratch = new Uint8Array(4);
  assert.equal(addressBytes("192.0.2.1", scratch), scratch);
  assert.deepEqual([...scratch], [192, 0, 2, 1]);
  assert.equal(addressBytes("fd00::1", scratch).length, 16);
  assert.deepEqual([...scratch], [192, 0, 2, 1]);
});
