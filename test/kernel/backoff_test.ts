/** When what failed is tried again. */
import assert from "node:assert/strict";
import { Backoff } from "../../kernel/backoff.ts";
import { FakeClock } from "../lib/fake_clock.ts";

Deno.test("back-off: each failure doubles the wait, from 1–2 s up to 30–60 s", () => {
  const clock = new FakeClock();
  const backoff = new Backoff<string>(clock);
  for (const most of [2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000)) {
    backoff.failed("a", "why");
    assert.ok(backoff.retryIn! >= most / 2 && backoff.retryIn! < most, `${backoff.retryIn} of ${most}`);
  }
});

Deno.test("back-off: a thing waits until its time and not longer", async () => {
  const clock = new FakeClock();
  const backoff = new Backoff<string>(clock);
  assert.equal(backoff.failed("a", "why"), true);
  assert.equal(backoff.waits("a"), true);
  assert.equal(backoff.waits("b"), false);
  await clock.advance(backoff.retryIn!);
  assert.deepEqual([backoff.waits("a"), backoff.retryIn, backoff.get("a")], [false, 0, "why"]);
  assert.equal(backoff.failed("a", "again"), false);
});

Deno.test("back-off: two things that failed together are tried at different times", () => {
  const backoff = new Backoff<string>(new FakeClock());
  backoff.failed("a", "");
  const first = backoff.retryIn;
  backoff.forget("a");
  backoff.failed("b", "");
  assert.notEqual(backoff.retryIn, first);
});

Deno.test("back-off: what is well is forgotten and begins anew", () => {
  const backoff = new Backoff<string>(new FakeClock());
  for (let i = 0; i < 5; i++) backoff.failed("a", "why");
  assert.equal(backoff.forget("a"), "why");
  assert.deepEqual([backoff.size, backoff.retryIn, backoff.forget("a")], [0, undefined, undefined]);
  assert.equal(backoff.failed("a", "why"), true);
  assert.ok(backoff.retryIn! < 2000);
});

Deno.test("back-off: hastened, a thing is due 1 s after its last attempt, not sooner and not later", async () => {
  const clock = new FakeClock();
  const backoff = new Backoff<string>(clock);
  for (let i = 0; i < 8; i++) backoff.failed("a", "why");
  await clock.advance(400);
  backoff.hasten();
  assert.equal(backoff.retryIn, 600);
  await clock.advance(5000);
  backoff.hasten();
  assert.equal(backoff.retryIn, 0);
});
