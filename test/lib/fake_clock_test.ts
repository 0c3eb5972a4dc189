import assert from "node:assert/strict";
import { FakeClock } from "./fake_clock.ts";

Deno.test("sleeps end in the order of their times, each at its own", async () => {
  const clock = new FakeClock({ now: 1000 });
  const woken: [string, number][] = [];
  const sleep = (name: string, ms: number) => clock.sleep(ms).then(() => woken.push([name, clock.now()]));
  sleep("late", 30);
  sleep("early", 10).then(() => sleep("begun meanwhile", 5));
  sleep("early too", 10);
  await clock.advance(29);
  assert.deepEqual(woken, [["early", 1010], ["early too", 1010], ["begun meanwhile", 1015]]);
  assert.equal(clock.sleeping, 1);
  await clock.advance(1);
  assert.equal(woken.at(-1)![0], "late");
  assert.deepEqual([clock.now(), clock.monotonic()], [1030, 30]);
});

Deno.test("a sleep ends at once when it is aborted, or has no time to last", async () => {
  const clock = new FakeClock();
  const abort = new AbortController();
  const sleep = clock.sleep(1000, abort.signal);
  abort.abort();
  await sleep;
  await clock.sleep(1000, abort.signal);
  await clock.sleep(0);
  await clock.sleep(-5);
  assert.equal(clock.sleeping, 0);
});

Deno.test("waiting for sleepers ends when there are enough", async () => {
  const clock = new FakeClock();
  const two = clock.untilSleeping(2);
  clock.sleep(1);
  clock.sleep(2);
  await two;
  await clock.untilSleeping(2);
});

Deno.test("the wall clock can be set without time passing", async () => {
  const clock = new FakeClock({ now: 1000 });
  let woken = false;
  clock.sleep(10).then(() => woken = true);
  clock.jump(-500);
  await clock.turn();
  assert.deepEqual([clock.now(), clock.monotonic(), woken], [500, 0, false]);
});

Deno.test("chance is the same for the same seed, and spreads evenly", () => {
  const draw = (seed: number) => {
    const clock = new FakeClock({ seed });
    return Array.from({ length: 8000 }, () => clock.random(8));
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  for (let n = 0; n < 8; n++) {
    const share = draw(7).filter((drawn) => drawn === n).length;
    assert.ok(share > 800 && share < 1200, `${n} came ${share} times`);
  }
  assert.equal(new FakeClock().randomBytes(6).length, 6);
});
