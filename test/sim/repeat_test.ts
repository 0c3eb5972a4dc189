import assert from "node:assert/strict";
import { run } from "./run.ts";

Deno.test("a seed tells the same story twice, to the same end", async () => {
  for (const seed of [7, 22, 100]) {
    const [first, second] = [await run({ seed }), await run({ seed })];
    assert.deepEqual(first.story, second.story);
    assert.equal(first.state, second.state);
    assert.ok(first.story.length > 12 && first.state.length > 1000);
  }
});
