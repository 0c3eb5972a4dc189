/** How much processor time a process asks for. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";

/**
 * Milliseconds that each thread of a process has run or waited for a processor so far, by its number
 * (Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat, in nanoseconds). On a busy machine a thread that has
 * something to do runs little and waits much: only the sum tells one that spins from one that rests.
 */
export function demandOf(pid: number): Map<string, number> {
  const demands = new Map<string, number>();
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    try {
      const [ran, waited] = Deno.readTextFileSync(`/proc/${pid}/task/${name}/schedstat`).split(" ").map(
        Number,
      );
      demands.set(name, (ran! + waited!) / 1e6);
    } catch (error) {
      // A thread that has ended meanwhile: the read finds no process any more (ESRCH).
      if (!(error instanceof Deno.errors.NotFound) && !/os error 3\)/.test(String(error))) throw error;
    }
  }
  return demands;
}

/** How much of a second that passes now the busiest thread of a process asks for: 1 where it spins. */
export async function busiestOf(pid: number): Promise<number> {
  const before = demandOf(pid);
  const begun = systemClock.monotonic();
  await systemClock.sleep(1000);
  const passed = systemClock.monotonic() - begun;
  return Math.max(...[...demandOf(pid)].map(([name, ms]) => (ms - (before.get(name) ?? 0)) / passed));
}

/** Of one that rests the busiest thread asks for less, and of one that spins for more, however busy the machine is. */
export const MOST = 0.5;

/** Insists that no thread of a process spins. */
export async function isIdle(pid: number): Promise<void> {
  const busiest = await busiestOf(pid);
  assert.ok(busiest < MOST, `a thread of process ${pid} wanted ${busiest} of a second of nothing to do`);
}
