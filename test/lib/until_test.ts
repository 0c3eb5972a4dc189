/** Waiting for what nobody announces, and what is said where it never comes. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import type { Clock } from "../../net/clock.ts";
import { until } from "./until.ts";

/** A clock whose sleeps are over at once. */
function quickClock(): Clock {
  let now = 0;
  return { ...systemClock, monotonic: () => now, sleep: (ms) => Promise.resolve(void (now += ms)) };
}

Deno.test("until: what is waited for is asked again until it holds", async () => {
  let asked = 0;
  await until("the third time", () => Promise.resolve(++asked === 3), { clock: quickClock() });
  assert.equal(asked, 3);
});

Deno.test("until: where it never holds, the last that was found is told, not the first", async () => {
  let asked = 0;
  const never = until(() => `${asked} of none`, () => Promise.resolve(++asked < 0), { clock: quickClock() });
  await assert.rejects(
    never,
    ({ message }: Error) => message === `waited for this in vain: ${asked} of none`,
  );
  assert.ok(asked > 1);
});
