/** Which MAC and key a host has on each device of a backend. */
import assert from "node:assert/strict";
import { hostOf } from "../../backends/dual.ts";
import { identityOf, withIdentity } from "../../backends/identity.ts";
import { host } from "../lib/overlay.ts";
import { dualHost } from "../lib/stacks.ts";

const macs = ["02:00:00:00:00:01", "02:00:00:00:00:02"];

Deno.test("identity: a device for each family has its own, and one for both is the same in both halves", () => {
  const keysOf = (publicKeys: readonly string[]) => {
    const both = withIdentity(dualHost(), { macs, publicKeys });
    assert.deepEqual(identityOf(both), { macs, publicKeys });
    return ([4, 6] as const).map((family) => hostOf(both, family)?.publicKey);
  };
  assert.deepEqual(keysOf(["a", "b"]), ["a", "b"]);
  assert.deepEqual(keysOf(["a"]), ["a", "a"]);
  assert.deepEqual(keysOf([]), [undefined, undefined]);
});

Deno.test("identity: whoever had two keys has one, or none, where that is all", () => {
  const had = withIdentity(dualHost(), { macs, publicKeys: ["a", "b"] });
  assert.deepEqual(identityOf(withIdentity(had, { macs, publicKeys: ["a"] })).publicKeys, ["a"]);
  assert.deepEqual(identityOf(withIdentity(had, { macs, publicKeys: [] })).publicKeys, []);
});

Deno.test("identity: a host of one family has the first", () => {
  const one = withIdentity(host(), { macs: macs.slice(0, 1), publicKeys: ["a"] });
  assert.deepEqual([one.mac, one.publicKey, one.ipv6], [macs[0], "a", undefined]);
  assert.deepEqual(identityOf(one), { macs: macs.slice(0, 1), publicKeys: ["a"] });
});
