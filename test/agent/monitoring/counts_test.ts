/** Counters whose labels come from others stay few. */
import assert from "node:assert/strict";
import { Counts } from "../../../agent/monitoring/counts.ts";
import { Tally } from "../../../agent/monitoring/tally.ts";

Deno.test("counts: each combination by itself, and those beyond the first hundred together", () => {
  const counts = new Counts();
  for (let i = 0; i < 150; i++) counts.add({ kind: "route", cause: `p${i}` });
  counts.add({ kind: "route", cause: "p3" });
  const list = counts.list();
  assert.equal(list.length, 101);
  assert.deepEqual(list[3], { labels: { kind: "route", cause: "p3" }, count: 2 });
  assert.deepEqual(list[100], { labels: { kind: "other", cause: "other" }, count: 50 });
});

Deno.test("counts: what is known is there from the start, and takes nobody's room", () => {
  const known = ["a", "b"].map((cause) => ({ cause }));
  const counts = new Counts(known);
  assert.deepEqual(counts.list(), known.map((labels) => ({ labels, count: 0 })));
  for (let i = 0; i < 101; i++) counts.add({ cause: `p${i}` });
  counts.add({ cause: "b" });
  assert.deepEqual(counts.list().slice(0, 2).map(({ count }) => count), [0, 1]);
  assert.deepEqual(counts.list().slice(101), [
    { labels: { cause: "p99" }, count: 1 },
    { labels: { cause: "other" }, count: 1 },
  ]);
});

Deno.test("tally: a refusal counts when it begins, and again when it comes back", () => {
  const tally = new Tally();
  const one = { subnet: "10.5.2.0/24", code: "overlap", reason: "" } as const;
  for (const now of [[one], [one], [], [one], [one, { ...one, code: "duplicate-mac" } as const]]) {
    tally.refused(now);
  }
  assert.deepEqual(tally.rejected.list().filter(({ count }) => count > 0), [
    { labels: { reason: "overlap" }, count: 2 },
    { labels: { reason: "duplicate-mac" }, count: 1 },
  ]);
});

Deno.test("tally: times stand in every bucket that is wide enough", () => {
  const tally = new Tally();
  for (const ms of [1, 3, 600, 60_000]) tally.reconciled(ms);
  const { buckets, sum } = tally.times;
  assert.deepEqual(buckets.map(({ count }) => count), [1, 2, 2, 2, 2, 3, 3, 4]);
  assert.equal(Math.round(sum * 1000), 60_604);
});
