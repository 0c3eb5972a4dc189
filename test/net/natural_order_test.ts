import assert from "node:assert/strict";
import fc from "fast-check";
import { formatCidr } from "../../net/ip.ts";
import { naturalOrder } from "../../net/natural_order.ts";

const sorted = (texts: readonly string[]) => [...texts].sort(naturalOrder);

Deno.test("subnets stand in the order in which people count", () => {
  const order = ["10.5.9.0/24", "10.5.10.0/23", "10.5.10.0/24", "10.244.0.0/16"];
  assert.deepEqual(sorted([...order].reverse()), order);
});

Deno.test("subnets of one length stand in the order of their addresses", () => {
  const address = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  fc.assert(fc.property(address, address, (a, b) => {
    const text = (value: number) => formatCidr({ family: 4, address: BigInt(value), length: 24 });
    assert.equal(Math.sign(naturalOrder(text(a), text(b))), Math.sign(a - b));
  }));
});

Deno.test("any texts have one order, whatever order they came in", () => {
  const text = fc.string({ unit: fc.constantFrom("0", "1", "9", ".", "/", "a"), maxLength: 8 });
  fc.assert(fc.property(text, text, text, (a, b, c) => {
    assert.equal(naturalOrder(a, b) === 0, a === b);
    assert.equal(Math.sign(naturalOrder(a, b)) + Math.sign(naturalOrder(b, a)), 0);
    if (naturalOrder(a, b) <= 0 && naturalOrder(b, c) <= 0) assert.ok(naturalOrder(a, c) <= 0);
  }));
});

Deno.test("a text stands before those that begin with it, and numbers of any length are read", () => {
  assert.deepEqual(sorted(["a10", "a", "a9"]), ["a", "a9", "a10"]);
  const long = "9".repeat(400);
  assert.ok(naturalOrder("10", long) < 0);
  assert.ok(naturalOrder("01", "1") < 0, "the same number, and not the same text");
});
