/** A lost packet must be laid at the right door: one that is explained away is not found again. */
import assert from "node:assert/strict";
import { explain, type Window, windowsIn } from "./windows.ts";

const window = (change: Partial<Window>): Window => ({
  cause: "proxy killed",
  host: 3,
  from: 10_000,
  to: 12_000,
  lossy: true,
  silent: ["proxy 3"],
  ...change,
});
const restart = window({ cause: "agent killed", from: 20_000, to: 25_000, lossy: false });

Deno.test("a packet is lost to what was broken when it was sent, or a moment later", () => {
  const { byCause, unexplained } = explain([9800, 10_000, 11_999, 12_000], [window({})]);
  assert.deepEqual([byCause, unexplained], [{ "proxy killed": 4 }, {}]);
});

Deno.test("a packet that nothing explains is told as such, before and after what was broken", () => {
  const { byCause, unexplained } = explain([9700, 12_001], [window({})]);
  assert.deepEqual([byCause, unexplained], [{}, { nothing: 2 }]);
});

Deno.test("a packet lost while an agent was away is never explained, and is told with it", () => {
  const { byCause, unexplained } = explain([21_000], [window({}), restart]);
  assert.deepEqual([byCause, unexplained], [{}, { "agent killed": 1 }]);
  const both = explain([21_000], [restart, window({ from: 20_500, to: 21_500 })]);
  assert.deepEqual(both.byCause, { "proxy killed": 1 });
});

Deno.test("the longest outage of a cause is the time to the last packet lost to it, of all its times", () => {
  const again = window({ from: 30_000, to: 32_000 });
  assert.deepEqual(explain([10_500, 10_200, 30_100], [window({}), again]).longest, { "proxy killed": 500 });
});

Deno.test("a time of some length belongs to every window that it touches", () => {
  const windows = [window({}), restart];
  assert.deepEqual(windowsIn(windows, { from: 12_000, to: 19_800 }), windows);
  assert.deepEqual(windowsIn(windows, { from: 12_001, to: 19_700 }), []);
  assert.deepEqual(windowsIn(windows, { from: 5000, to: 60_000 }), windows);
});
