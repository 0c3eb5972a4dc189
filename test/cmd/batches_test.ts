/** Whatever comes while a batch is worked on is in the next one. */
import assert from "node:assert/strict";
import { batches } from "../../cmd/batches.ts";

async function* come(steps: readonly (number | Promise<void>)[]): AsyncGenerator<number> {
  for (const step of steps) {
    if (typeof step === "number") yield step;
    else await step;
  }
}

Deno.test("batches: what came meanwhile comes together, in its order, and nothing is lost at the end", async () => {
  const more = Promise.withResolvers<void>();
  const seen: (readonly number[])[] = [];
  for await (const batch of batches(come([1, more.promise, 2, 3, 4]), 10)) {
    seen.push(batch);
    more.resolve();
    await new Promise((resolve) => setTimeout(resolve));
  }
  assert.deepEqual(seen, [[1], [2, 3, 4]]);
});

Deno.test("batches: no more are taken from the source than there is room for", async () => {
  const sizes: number[] = [];
  for await (const batch of batches(come([1, 2, 3, 4, 5]), 2)) {
    sizes.push(batch.length);
    await new Promise((resolve) => setTimeout(resolve));
  }
  assert.equal(sizes.reduce((sum, one) => sum + one), 5);
  assert.ok(sizes.every((size) => size <= 2), `${sizes}`);
});

Deno.test("batches: what the source throws is thrown after what came before", async () => {
  async function* broken() {
    yield 1;
    throw await Promise.resolve(new Error("torn"));
  }
  const seen: number[] = [];
  await assert.rejects(async () => {
    for await (const batch of batches(broken(), 10)) seen.push(...batch);
  }, /torn/);
  assert.deepEqual(seen, [1]);
});
