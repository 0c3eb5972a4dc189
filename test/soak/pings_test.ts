/** A ping without an answer must be found wherever it is: before, between and after those that were answered. */
import assert from "node:assert/strict";
import { readPings } from "./pings.ts";

const BEGUN = 1_800_000_000_000;
const at = (number: number) => BEGUN + number * 100;
const answer = (number: number, sent = number) =>
  `[${(at(sent) + 0.25) / 1000}] 64 bytes from 10.244.1.1: icmp_seq=${number % 65_536} ttl=63 time=0.25 ms`;
const sum = (sent: number, received: number) =>
  `${sent} packets transmitted, ${received} received, 0% packet loss, time 1ms`;
/** Rounded to whole milliseconds: the times that ping prints are fractions of seconds. */
const read = (lines: readonly string[]) => {
  const pings = readPings(lines, { intervalMs: 100, begun: BEGUN });
  return { ...pings, lost: pings.lost.map(Math.round) };
};

Deno.test("of 36,000 pings of which the first three were answered, all others are lost", () => {
  const found = read([...[1, 2, 3].map((number) => answer(number)), sum(36_000, 3)]);
  assert.deepEqual([found.sent, found.answered, found.lost.length], [36_000, 3, 35_997]);
  assert.deepEqual([found.lost[0], found.lost.at(-1)], [at(4), at(36_000)]);
  assert.equal(Math.round(found.lastAnswered!), at(3));
});

Deno.test("pings without any answer are all lost, from the time when ping began", () => {
  const found = read(["PING 10.244.1.1", sum(3, 0)]);
  assert.deepEqual([found.sent, found.answered, found.lastAnswered], [3, 0, undefined]);
  assert.deepEqual(found.lost, [BEGUN, at(1), at(2)]);
});

Deno.test("pings without an answer are found in the gaps, each at the time when it was sent", () => {
  assert.deepEqual(read([...[1, 2, 5].map((one) => answer(one)), sum(5, 3)]).lost, [at(3), at(4)]);
  assert.deepEqual(read([answer(2), sum(2, 1)]).lost, [at(1)]);
  assert.deepEqual(read([1, 2, 3].map((number) => answer(number)).concat(sum(3, 3))).lost, []);
});

Deno.test("an answer that took long does not move the pings before it", () => {
  const slow = `[${at(25) / 1000}] 64 bytes from 10.244.1.1: icmp_seq=5 ttl=63 time=2000 ms`;
  assert.deepEqual(read([answer(2), slow, sum(5, 2)]).lost, [at(1), at(3), at(4)]);
});

Deno.test("a machine that sends late spreads the lost ones over the time between two answers", () => {
  assert.deepEqual(read([answer(1), answer(3, 5), sum(3, 2)]).lost, [at(3)]);
});

Deno.test("the last five pings may be under way when ping is ended, and then do not count; a sixth is lost", () => {
  const lines = [1, 2].map((number) => answer(number));
  const under = read([...lines, sum(7, 2)]);
  assert.deepEqual([under.sent, under.answered, under.lost], [2, 2, []]);
  const stopped = read([...lines, sum(8, 2)]);
  assert.deepEqual([stopped.sent, stopped.answered, stopped.lost.length], [8, 2, 6]);
});

Deno.test("the numbers of pings begin again after 65,535, as often as they do", () => {
  const numbers = Array.from({ length: 140_000 }, (_, i) => i + 1).filter((one) => one % 70_001 !== 0);
  const found = read([...numbers.map((number) => answer(number)), sum(140_000, 139_999)]);
  assert.deepEqual([found.sent, found.answered, found.lost], [140_000, 139_999, [at(70_001)]]);
});

Deno.test("an answer that was overtaken is an answer, and no gap of sixty thousand", () => {
  const found = read([...[1, 3, 2, 4].map((number) => answer(number)), sum(4, 4)]);
  assert.deepEqual([found.answered, found.duplicates, found.lost], [4, 0, []]);
});

Deno.test("a ping that is answered twice is answered once, and told", () => {
  const found = read([answer(1), answer(2), `${answer(2)} (DUP!)`, sum(3, 2)]);
  assert.deepEqual([found.answered, found.received, found.duplicates], [2, 2, 1]);
});

Deno.test("a ping that did not sum up has sent nobody knows what", () => {
  const found = read([answer(1), "From 10.5.0.0 icmp_seq=2 Destination Net Unreachable", answer(3)]);
  assert.deepEqual([found.sent, found.received, found.lost], [undefined, undefined, [at(2)]]);
});
