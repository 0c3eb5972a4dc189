/** The figures are told by these, so they must be right. */
import assert from "node:assert/strict";
import { fit, highestRate, median, quantile, ratio } from "./statistics.ts";

Deno.test("the median is the value in the middle, whatever the order, and leaves the values as they are", () => {
  const values = [30, 1, 2];
  assert.equal(median(values), 2);
  assert.deepEqual(values, [30, 1, 2]);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([7]), 7);
  assert.ok(Number.isNaN(median([])));
});

Deno.test("numbers are compared as numbers: 9 is less than 10", () => {
  assert.equal(median([9, 10, 100]), 10);
});

Deno.test("a quantile lies between the values next to it", () => {
  const hundred = Array.from({ length: 101 }, (_, i) => 100 - i);
  assert.equal(quantile(hundred, 0.99), 99);
  assert.equal(quantile(hundred, 0), 0);
  assert.equal(quantile(hundred, 1), 100);
  assert.equal(quantile([10, 20], 0.25), 12.5);
});

Deno.test("the ratio is that of the medians, so that one bad round changes nothing", () => {
  assert.equal(ratio([5, 6, 0.1], [10, 10, 1000]), 0.5);
});

Deno.test("the search comes as near to the limit as its steps allow, and never above it", async () => {
  for (const limit of [110, 300, 500, 799]) {
    const found = await highestRate((rate) => Promise.resolve(rate <= limit), {
      low: 100,
      high: 800,
      steps: 10,
    });
    assert.ok(found <= limit && found > limit * 0.99, `${found} of ${limit}`);
  }
});

Deno.test("the search stays where it began when nothing holds, and nears the top when all does", async () => {
  const between = { low: 100, high: 800, steps: 6 };
  assert.equal(await highestRate(() => Promise.resolve(false), between), 100);
  const top = await highestRate(() => Promise.resolve(true), between);
  assert.ok(top > 770 && top < 800, `${top}`);
});

Deno.test("one hiccup of the machine does not lower what is found; a second one at the same rate does", async () => {
  const tried = new Set<number>();
  const stumbling = (rate: number) => Promise.resolve(tried.has(rate) || !tried.add(rate));
  assert.ok(await highestRate(stumbling, { low: 100, high: 800, steps: 6 }) > 770);
  let calls = 0;
  await highestRate(() => Promise.resolve(++calls > 2), { low: 100, high: 800, steps: 3 });
  assert.equal(calls, 4);
});

Deno.test("the line through points on a line is that line", () => {
  const line = fit([0, 1, 2, 5].map((x) => [x, 3 * x - 4]));
  assert.ok(Math.abs(line.slope - 3) < 1e-12 && Math.abs(line.intercept + 4) < 1e-12);
  assert.ok(Math.abs(line.determination - 1) < 1e-12);
});

Deno.test("the line through points beside a line is the one with the least squares", () => {
  // Worked by hand: means 2 and 3, sums of products 2 and 2.
  const line = fit([[1, 2], [2, 4], [3, 3]]);
  assert.equal(line.slope, 0.5);
  assert.equal(line.intercept, 2);
  assert.equal(line.determination, 0.25);
});

Deno.test("what does not change has no slope and tells nothing; what has no width has none to tell", () => {
  const flat = fit([[0, 7], [1, 7], [2, 7]]);
  assert.deepEqual(flat, { slope: 0, intercept: 7, determination: 0 });
  assert.ok(Number.isNaN(fit([[1, 2], [1, 3]]).slope));
});
