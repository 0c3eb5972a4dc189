/** Writes that lose to another writer: what they look like, and trying again. */
import { FlanError } from "../net/errors.ts";

/** Each lost round means that another host has won one, so hosts that start together need a few. */
export const ROUNDS = 60;

/** Whether a compare-and-swap lost. */
export function isConflict(error: unknown): boolean {
  return error instanceof FlanError && error.code === "conflict";
}

/** Does `work`, which reads before it writes, again as long as it loses. Throws `conflict` after 60 lost rounds. */
export async function untilWon<T>(work: () => Promise<T>): Promise<T> {
  for (let round = 1;; round++) {
    try {
      return await work();
    } catch (error) {
      if (!isConflict(error) || round === ROUNDS) throw error;
    }
  }
}
