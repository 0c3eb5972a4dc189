/** The difference of two maps, by value. */
import assert from "node:assert/strict";
import { delta } from "../../kernel/delta.ts";

const same = (a: { v: number }, b: { v: number }) => a.v === b.v;
const map = (entries: Record<string, number>) =>
  new Map(Object.entries(entries).map(([key, v]) => [key, { v, key }]));

Deno.test("delta: what is missing is added, what differs is changed, what is left over is removed", () => {
  const result = delta(map({ a: 1, b: 2, c: 3 }), map({ d: 4, b: 9, c: 3 }), same);
  assert.deepEqual(result, {
    add: [{ v: 1, key: "a" }],
    change: [{ from: { v: 9, key: "b" }, to: { v: 2, key: "b" } }],
    remove: [{ v: 4, key: "d" }],
  });
});

Deno.test("delta: equal values under equal keys are no difference", () => {
  assert.deepEqual(delta(map({ a: 1 }), map({ a: 1 }), same), { add: [], change: [], remove: [] });
});

Deno.test("delta: the order of the maps is kept", () => {
  const result = delta(map({ z: 1, a: 1 }), map({ y: 1, b: 1 }), same);
  assert.deepEqual(result.add.map(({ key }) => key), ["z", "a"]);
  assert.deepEqual(result.remove.map(({ key }) => key), ["y", "b"]);
});
