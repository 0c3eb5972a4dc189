/** Keys of the ipsec backend: both ends have the same ones, and no two states do. */
import assert from "node:assert/strict";
import { type Derivation, deriveKey, epochAt, indexOf } from "../../net/ipsec_key.ts";

const secret = new TextEncoder().encode("x".repeat(96));

const direction: Derivation = {
  network: "10.5.0.0/16",
  from: { subnet: "10.5.1.0/24", nonce: "00" },
  to: { subnet: "10.5.2.0/24", nonce: "11" },
  span: 3_600_000,
  epoch: 7,
};

Deno.test("ipsec keys: whatever is another makes another key, and the same makes the same", () => {
  const { from, to } = direction;
  const others: Derivation[] = [
    { ...direction, span: 3_600_001 },
    { ...direction, network: "10.6.0.0/16" },
    { ...direction, epoch: 8 },
    { ...direction, from: to, to: from },
    { ...direction, from: { ...from, nonce: "01" } },
    { ...direction, to: { ...to, nonce: "01" } },
    { ...direction, from: { subnet: "10.5.1.0/240", nonce: "0" } },
  ];
  const keys = [direction, ...others].map((one) => deriveKey(secret, one).toHex());
  keys.push(deriveKey(new TextEncoder().encode("y".repeat(96)), direction).toHex());
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(deriveKey(secret, { ...direction }).toHex(), keys[0]);
  assert.equal(keys[0]!.length, 40);
});

Deno.test("ipsec keys: of senders and spans that are in use at once no two have one index", () => {
  const all = [0, 1, 2, 2 ** 29 - 1].flatMap((position) =>
    [6, 7, 8].map((epoch) => indexOf(position, epoch))
  );
  assert.equal(new Set(all).size, all.length);
  assert.ok(all.every((one) => one > 255 && one <= 0xffffffff));
});

Deno.test("ipsec keys: an epoch begins where its span does", () => {
  assert.deepEqual([3_599_999, 3_600_000].map((now) => epochAt(now, 3_600_000)), [0, 1]);
});
