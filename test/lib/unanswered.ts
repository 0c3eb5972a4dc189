/** How many pings nobody answers. */
import { systemClock } from "../../agent/clock.ts";
import type { Outcome } from "../../cmd/demo/shell.ts";

const EVERY_MS = 20;

/**
 * Runs `ping`, which sends one echo request and waits for its answer, `count` times, 20 ms apart; returns how many
 * failed. Each is a process of its own: a ping that has had one answer waits no longer than its interval for the
 * others, whatever its -W (iputils 20221126), and so takes an answer of a busy machine for lost.
 */
export async function unanswered(count: number, ping: () => Promise<Outcome>): Promise<number> {
  const outcomes = await Promise.all(Array.from({ length: count }, async (_, nth) => {
    await systemClock.sleep(nth * EVERY_MS);
    return await ping();
  }));
  return outcomes.filter(({ code }) => code !== 0).length;
}
