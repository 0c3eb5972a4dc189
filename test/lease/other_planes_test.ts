/** What a lease says beside flannel's fields while its network moves. */
import assert from "node:assert/strict";
import { encodeOtherPlanes, readOtherPlanes } from "../../lease/other_planes.ts";
import type { Json } from "../../net/json.ts";

Deno.test("what is written of other planes is read as it was", () => {
  const planes = [
    { backendType: "vxlan", backendData: { VNI: 1 }, backendV6Data: { VNI: 2 }, sends: true },
    { backendType: "", backendData: undefined, sends: false, heard: 17, asks: 0 },
  ];
  assert.deepEqual(readOtherPlanes(encodeOtherPlanes(planes)), planes);
  assert.equal(encodeOtherPlanes([]), undefined);
});

Deno.test("what is odd is left out, and what is too much, too", () => {
  const good = { type: "udp", sends: true };
  const read = { backendType: "udp", backendData: undefined, sends: true };
  const odd: Json[] = [null, 7, "udp", [], {}, { type: 7 }, { type: "\u001b[2J" }, { type: "x".repeat(33) }];
  for (const one of odd) assert.deepEqual(readOtherPlanes([one, good]), [read]);
  for (const value of [undefined, null, {}, "x", [], [{}]]) assert.equal(readOtherPlanes(value), undefined);
  assert.equal(readOtherPlanes(Array.from({ length: 9 }, () => good))?.length, 4);
  assert.equal(readOtherPlanes([{ ...good, data: "x".repeat(5000) }]), undefined);
  assert.equal(readOtherPlanes([{ type: "udp", sends: "yes" }])?.[0]?.sends, false);
  for (const number of [-1, 1.5, "7", null, 1e300]) {
    assert.deepEqual(readOtherPlanes([{ ...good, heard: number, asks: number }]), [read]);
  }
});
