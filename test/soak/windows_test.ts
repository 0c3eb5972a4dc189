/** A lost packet must be laid at the right door: one that is explained away is not found again. */
import assert from "node:assert/strict";
import { outageOf } from "./faults.ts";
import { explain, type Loss, type Window, windowsIn } from "./windows.ts";

const window = (change: Partial<Window>): Window => ({
  cause: "proxy killed",
  host: 3,
  from: 10_000,
  to: 12_000,
  outage: 3000,
  silent: ["proxy 3"],
  ...change,
});
const restart = window({ cause: "agent killed", from: 20_000, to: 25_000, outage: 0 });
/** Packets lost at these times, from host 2 to host 3. */
const lost = (...times: readonly number[]): Loss[] => times.map((at) => ({ at, ends: [2, 3] }));

Deno.test("a packet is lost to what was broken when it was sent, or a moment later", () => {
  const { byCause, unexplained } = explain(lost(9800, 10_000, 11_999, 12_000), [window({})]);
  assert.deepEqual([byCause, unexplained], [{ "proxy killed": 4 }, {}]);
});

Deno.test("a packet that nothing explains is told as such, before and after what was broken", () => {
  const { byCause, unexplained } = explain(lost(9700, 12_001), [window({})]);
  assert.deepEqual([byCause, unexplained], [{}, { nothing: 2 }]);
});

Deno.test("a fault explains what was lost from its host and to it, and nothing between two others", () => {
  const from3: Loss = { at: 11_000, ends: [3, 1] };
  const others: Loss = { at: 11_000, ends: [1, 2] };
  const { byCause, unexplained, longest } = explain([...lost(10_500), from3, others], [window({})]);
  assert.deepEqual(byCause, { "proxy killed": 2 });
  assert.deepEqual(unexplained, { "proxy killed on host 3, between hosts 1 and 2": 1 });
  assert.deepEqual(longest, { "proxy killed": 1000 });
  const own = window({ cause: "underlay flapped", host: 1, from: 10_900 });
  assert.deepEqual(explain([others], [window({}), own]).byCause, { "underlay flapped": 1 });
});

Deno.test("a fault explains no outage that is longer than its own, while its host is not whole yet", () => {
  const slow = window({ to: 18_000 });
  const { byCause, unexplained, longest } = explain(lost(10_500, 13_000, 13_001, 17_000), [slow]);
  assert.deepEqual(byCause, { "proxy killed": 2 });
  assert.deepEqual(unexplained, { "proxy killed, after 3000 ms": 2 });
  assert.deepEqual(longest, { "proxy killed": 7000 });
});

Deno.test("a packet lost while an agent was away is never explained, and is told with it", () => {
  const { byCause, unexplained, longest } = explain(lost(21_000), [window({}), restart]);
  assert.deepEqual([byCause, unexplained, longest], [{}, { "agent killed": 1 }, {}]);
  const both = explain(lost(21_000), [restart, window({ from: 20_500, to: 21_500 })]);
  assert.deepEqual(both.byCause, { "proxy killed": 1 });
});

Deno.test("the longest outage of a cause is the time to the last packet lost to it, of all its times", () => {
  const again = window({ from: 30_000, to: 32_000 });
  const { longest } = explain(lost(10_500, 10_200, 30_100), [window({}), again]);
  assert.deepEqual(longest, { "proxy killed": 500 });
});

Deno.test("three seconds are given to each repair, beyond the time that the soak itself takes, and none to an agent", () => {
  assert.equal(outageOf("proxy killed", 0), 3000);
  assert.equal(outageOf("TUN device down", 0), 3000);
  assert.equal(outageOf("underlay flapped", 2500), 5500);
  assert.equal(outageOf("agent killed", 0), 0);
  assert.equal(outageOf("agent ended", 4000), 0);
});

Deno.test("a time of some length belongs to every window that it touches", () => {
  const windows = [window({}), restart];
  assert.deepEqual(windowsIn(windows, { from: 12_000, to: 19_800 }), windows);
  assert.deepEqual(windowsIn(windows, { from: 12_001, to: 19_700 }), []);
  assert.deepEqual(windowsIn(windows, { from: 5000, to: 60_000 }), windows);
});
