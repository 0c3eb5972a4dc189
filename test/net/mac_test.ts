import assert from "node:assert/strict";
import fc from "fast-check";
import { FlanError } from "../../net/errors.ts";
import { isStationMac, localMac, macFromBytes, parseMac } from "../../net/mac.ts";

/** What a MAC's text says, pair by pair. */
const pairs = (mac: string) => mac.split(":").map((pair) => parseInt(pair, 16));

const bytes = fc.uint8Array({ minLength: 6, maxLength: 6 });

Deno.test("a MAC address is read back from its bytes and its text", () => {
  fc.assert(fc.property(bytes, (bytes) => {
    const text = macFromBytes(bytes);
    assert.deepEqual(pairs(text), [...bytes]);
    assert.equal(parseMac(text), text);
    assert.equal(parseMac(text.toUpperCase()), text);
  }));
});

for (
  const text of [
    "",
    "c6:d2:32:6f:8f",
    "c6:d2:32:6f:8f:44:55",
    "c6-d2-32-6f-8f-44",
    "c6d2.326f.8f44",
    "c6d2326f8f44",
    "c6:d2:32:6f:8f:4",
    "c6:d2:32:6f:8f:4g",
    " c6:d2:32:6f:8f:44",
    "c6:d2:32:6f:8f:44\n",
    "\u001b[2J",
  ]
) {
  Deno.test(`${JSON.stringify(text)} is no MAC address`, () => {
    assert.throws(() => parseMac(text), (error) => error instanceof FlanError && error.code === "invalid");
  });
}

Deno.test("a station's address is neither zero nor a group's", () => {
  assert.ok(isStationMac("c6:d2:32:6f:8f:44"));
  assert.ok(isStationMac("00:00:00:00:00:01"));
  for (const mac of ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "33:33:00:00:00:01"]) {
    assert.ok(!isStationMac(mac), mac);
  }
});

Deno.test("an address of our own is a station's, locally administered, and as random as what it is made of", () => {
  fc.assert(fc.property(bytes, (random) => {
    const made = pairs(localMac(random));
    assert.ok(isStationMac(localMac(random)));
    assert.equal(made[0]! & 3, 2);
    assert.equal(made[0]! >> 2, random[0]! >> 2);
    assert.deepEqual(made.slice(1), [...random.slice(1)]);
  }));
});
