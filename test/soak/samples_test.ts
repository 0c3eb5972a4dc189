/** A leak must be seen, and the ups and downs of a heap must not be one. */
import assert from "node:assert/strict";
import { growths, look, type Sample } from "./samples.ts";

/** Ten minutes of one process, every ten seconds. */
const life = (of: (second: number, i: number) => Partial<Sample>): Sample[] =>
  Array.from({ length: 61 }, (_, i) => ({
    at: i * 10,
    who: "agent 1",
    pid: 7,
    rss: 100,
    descriptors: 20,
    ...of(i * 10, i),
  }));
const isLeaking = (samples: readonly Sample[]) => growths(samples).map((one) => one.isLeaking);

Deno.test("a process that stays as it is does not leak", () => {
  const [found] = growths(life(() => ({})));
  assert.deepEqual(found, {
    who: "agent 1",
    pid: 7,
    seconds: 400,
    rss: 100,
    perHour: 0,
    gained: 0,
    descriptors: [20, 20],
    isLeaking: false,
  });
});

Deno.test("one megabyte a minute is a leak, and is told as an hour's", () => {
  const [found] = growths(life((second) => ({ rss: 100 + second / 60 })));
  assert.equal(found!.isLeaking, true);
  assert.ok(Math.abs(found!.perHour - 60) < 1e-6 && Math.abs(found!.gained - 20 / 3) < 1e-6);
});

Deno.test("in ten minutes a gain of four megabytes is a leak, of less it is chance", () => {
  assert.deepEqual(isLeaking(life((second) => ({ rss: 100 + 4.01 * second / 400 }))), [true]);
  assert.deepEqual(isLeaking(life((second) => ({ rss: 100 + 3.99 * second / 400 }))), [false]);
});

/** So many hours, with a look every ten seconds, and so much more memory an hour. */
const hours = (count: number, perHour: number) =>
  Array.from({ length: count * 360 + 1 }, (_, i) => life(() => ({ at: i * 10 }))[0]!)
    .map((one) => ({ ...one, rss: 100 + perHour * one.at / 3600 }));

Deno.test("in an hour and more a gain of ten megabytes an hour is a leak, and less is none however long it goes on", () => {
  assert.deepEqual(isLeaking(hours(1, 10.1)), [true]);
  assert.deepEqual(isLeaking(hours(1, 9.9)), [false]);
  assert.deepEqual(isLeaking(hours(5, 9.9)), [false]);
});

Deno.test("a leak is found among the ups and downs of a heap, and in steps, and where it becomes slower", () => {
  assert.deepEqual(isLeaking(life((second, i) => ({ rss: 100 + second / 40 + (i % 2) * 30 }))), [true]);
  assert.deepEqual(isLeaking(life((second) => ({ rss: 100 + 8 * Math.floor(second / 150) }))), [true]);
  assert.deepEqual(isLeaking(life((second) => ({ rss: 160 - 60 * Math.exp(-second / 300) }))), [true]);
});

Deno.test("a heap that goes up and down by forty megabytes is no leak, nor is one that becomes smaller", () => {
  assert.deepEqual(isLeaking(life((_, i) => ({ rss: 100 + (i % 5) * 10 }))), [false]);
  assert.deepEqual(isLeaking(life((second) => ({ rss: 200 - second / 10 }))), [false]);
});

Deno.test("large buffers that wait to be collected are a leak, as long as they become more", () => {
  // 28 MB in 40,000 requests, of which there are four a second.
  assert.deepEqual(isLeaking(hours(1, 28 * 4 * 3600 / 40_000)), [true]);
});

Deno.test("what a process gains in the first third of its life is not counted", () => {
  assert.deepEqual(isLeaking(life((second) => ({ rss: Math.min(second, 200) }))), [false]);
  assert.deepEqual(isLeaking(life((second) => ({ rss: Math.min(second, 300) }))), [true]);
  const [found] = growths(hours(1, 0).map((one) => ({ ...one, rss: Math.min(one.at, 1200) })));
  assert.deepEqual([found!.isLeaking, found!.seconds], [false, 2400]);
});

Deno.test("descriptors that become more are a leak, one connection or two are not", () => {
  assert.deepEqual(isLeaking(life((_, i) => ({ descriptors: 20 + Math.floor(i / 5) }))), [true]);
  assert.deepEqual(isLeaking(life((_, i) => ({ descriptors: 20 + i % 3 }))), [false]);
});

Deno.test("every process is judged by itself, and one that lived shortly not at all", () => {
  const other = life(() => ({ pid: 8, who: "proxy 1", rss: 300 }));
  const short = life((second) => ({ pid: 9, rss: second, descriptors: second })).slice(0, 54);
  assert.equal(short.at(-1)!.at, 530);
  assert.deepEqual(growths([...life(() => ({})), ...other, ...short]).map(({ pid }) => pid), [7, 8]);
  assert.deepEqual(growths(life(() => ({})).slice(0, 55)).length, 1);
});

Deno.test("a running process is looked at, and one that is no more is not there", () => {
  const own = look("agent 1", { pid: Deno.pid, at: 5 })!;
  assert.ok(own.rss > 10 && own.rss < 4096 && own.descriptors > 2, JSON.stringify(own));
  assert.deepEqual([own.who, own.pid, own.at], ["agent 1", Deno.pid, 5]);
  // Above the highest number that a process may have (kernel/pid_max, 2^22).
  assert.equal(look("agent 1", { pid: 2 ** 22 + 1, at: 0 }), undefined);
});
