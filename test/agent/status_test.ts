/** What `flan status` says of the agent's state. */
import assert from "node:assert/strict";
import { driftOf, endOf } from "../../agent/status.ts";
import type { Failure } from "../../kernel/kernel.ts";
import type { Report } from "../../kernel/reconcile.ts";
import type { KernelObject } from "../../kernel/state.ts";

const quiet: Report = {
  done: [],
  conflicts: [],
  failures: [],
  waiting: [],
  state: new Map(),
  resynced: true,
};
const address = (n: number): KernelObject => ({ kind: "address", link: "flan.1", address: `10.5.${n}.0/32` });
const refused = (n: number) => ({ change: { verb: "add", object: address(n) } }) as unknown as Failure;

Deno.test("status: what failed and waits for another try is drift too, each object once", () => {
  const report = { ...quiet, failures: [refused(1)], waiting: [refused(1), refused(2)] };
  assert.deepEqual([driftOf(quiet), driftOf(report)], [0, 2]);
  const conflict = { code: "foreign-address", wanted: address(3), found: address(3) };
  assert.equal(driftOf({ ...report, conflicts: [conflict] } as unknown as Report), 3);
});

Deno.test("status: a kernel that cannot be asked is drift, although nothing is known to be wrong", () => {
  assert.equal(driftOf({ ...quiet, error: new Error("no") }), 1);
});

Deno.test("status: a lease ends at a whole second, or at a time that nobody here knows", () => {
  assert.equal(endOf(Date.UTC(2026, 0, 2, 3, 4, 5, 678)), "2026-01-02T03:04:05Z");
  assert.deepEqual([endOf(undefined), endOf(Infinity)], [null, null]);
});
