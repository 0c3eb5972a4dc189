import assert from "node:assert/strict";
import { memo } from "../../net/memo.ts";

Deno.test("memo: made once for an object and its facts, anew for others", () => {
  let made = 0;
  const named = memo((key: { id: number }, facts: string) => [key.id, facts, ++made]);
  const [one, two] = [{ id: 1 }, { id: 1 }];
  assert.equal(named(one, "a"), named(one, "a"));
  assert.notEqual(named(one, "a"), named(two, "a"), "by identity, not by value");
  assert.deepEqual(named(one, "b"), [1, "b", 3]);
  assert.deepEqual(named(one, "a"), [1, "a", 4], "the last facts only");
});

Deno.test("memo: facts that are the same by the caller's own word", () => {
  const named = memo((_: object, facts: { n: number }) => ({ n: facts.n }), (a, b) => a.n === b.n);
  const key = {};
  assert.equal(named(key, { n: 1 }), named(key, { n: 1 }));
  assert.equal(named(key, { n: 2 }).n, 2);
});
