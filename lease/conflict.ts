/** Writes that lose to another writer: what they look like, and trying again. */
import type { Clock } from "../net/clock.ts";
import { FlanError } from "../net/errors.ts";

/** Each lost round means that another host has won one, so hosts that start together need a few. */
const ROUNDS = 60;

/** Upper limit of the pause between rounds, milliseconds; it grows with the rounds. */
const LONGEST_PAUSE = 1000;

/** Whether a compare-and-swap lost. */
export function isConflict(error: unknown): boolean {
  return error instanceof FlanError && error.code === "conflict";
}

/**
 * Does `work`, which reads before it writes, again as long as it loses, after a random pause. `work` is told how many
 * rounds were lost before. Throws `conflict` after 60 lost rounds.
 */
export async function untilWon<T>(clock: Clock, work: (lost: number) => Promise<T>): Promise<T> {
  for (let lost = 0;; lost++) {
    try {
      return await work(lost);
    } catch (error) {
      if (!isConflict(error) || lost === ROUNDS - 1) throw error;
    }
    await clock.sleep(clock.random(Math.min(10 * 2 ** lost, LONGEST_PAUSE)));
  }
}
