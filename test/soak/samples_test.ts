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
    seconds: 450,
    rss: 100,
    perHour: 0,
    gained: 0,
    descriptors: [20, 20],
    isLeaking: false,
  });
});

Deno.test("six megabytes a minute are a leak, and are told as an hour's", () => {
  const [found] = growths(life((second) => ({ rss: 100 + second / 10 })));
  assert.equal(found!.isLeaking, true);
  assert.ok(Math.abs(found!.perHour - 360) < 1e-6 && Math.abs(found!.gained - 45) < 1e-6);
});

Deno.test("a heap that goes up and down by forty megabytes is no leak, nor is what V8 takes beside its heap", () => {
  assert.deepEqual(isLeaking(life((_, i) => ({ rss: 100 + (i % 5) * 10 }))), [false]);
  assert.deepEqual(isLeaking(life((second, i) => ({ rss: 100 + second / 8 + (i % 2) * 60 }))), [false]);
  assert.deepEqual(isLeaking(life((second) => ({ rss: 100 + second / 20 }))), [false]);
});

Deno.test("a heap that nears its size is no leak, one that doubles its pace is", () => {
  assert.deepEqual(isLeaking(life((second) => ({ rss: 260 - 200 * Math.exp(-second / 200) }))), [false]);
  assert.deepEqual(isLeaking(life((second) => ({ rss: 100 + (second / 60) ** 2 }))), [true]);
});

Deno.test("what a process gains in the first quarter of an hour's life is not counted", () => {
  const hour = Array.from({ length: 6 }, (_, i) => life((second) => ({ at: i * 610 + second }))).flat();
  const [found] = growths(hour.map((one) => ({ ...one, rss: Math.min(one.at, 900) })));
  assert.deepEqual([found!.isLeaking, found!.gained < 1e-6, Math.round(found!.seconds)], [false, true, 2730]);
});

Deno.test("what a process gains in its first two minutes is not counted", () => {
  assert.deepEqual(isLeaking(life((second) => ({ rss: second < 120 ? second : 120 }))), [false]);
});

Deno.test("descriptors that become more are a leak, one connection or two are not", () => {
  assert.deepEqual(isLeaking(life((_, i) => ({ descriptors: 20 + Math.floor(i / 5) }))), [true]);
  assert.deepEqual(isLeaking(life((_, i) => ({ descriptors: 20 + i % 3 }))), [false]);
});

Deno.test("every process is judged by itself, and one that lived shortly not at all", () => {
  const other = life(() => ({ pid: 8, who: "proxy 1", rss: 300 }));
  const short = life(() => ({ pid: 9 })).slice(0, 20);
  assert.deepEqual(growths([...life(() => ({})), ...other, ...short]).map(({ pid }) => pid), [7, 8]);
});

Deno.test("a running process is looked at, and one that is no more is not there", () => {
  const own = look("agent 1", { pid: Deno.pid, at: 5 })!;
  assert.ok(own.rss > 10 && own.rss < 4096 && own.descriptors > 2, JSON.stringify(own));
  assert.deepEqual([own.who, own.pid, own.at], ["agent 1", Deno.pid, 5]);
  // Above the highest number that a process may have (kernel/pid_max, 2^22).
  assert.equal(look("agent 1", { pid: 2 ** 22 + 1, at: 0 }), undefined);
});
