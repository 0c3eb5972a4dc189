/** A hint that this host's clock is wrong: seen from a wrong time all leases have expired at once. */
import type { Logger } from "../net/log.ts";
import type { Snapshot } from "./store.ts";

/** One host may have gone for good; several that went without a single one left are worth a word. */
const MANY = 2;

/**
 * What is to be said where the leases of at least two other hosts have expired and nobody's is alive; undefined
 * otherwise. The other reason for that, a network that was switched off as a whole, is not to be told apart. Means
 * nothing where a store ends leases by another clock (`Store.usesLocalClock`).
 */
export function suspectClock(snapshot: Snapshot, node: string): string | undefined {
  if (snapshot.records.some(({ expires }) => expires !== undefined)) return undefined;
  // Only what the store still holds has a node; what was pruned is from long ago.
  const expired = snapshot.past.filter((lease) => lease.how === "expired" && lease.node !== undefined);
  const count = expired.filter((lease) => lease.node !== node).length;
  if (count < MANY) return undefined;
  return `All ${count} leases of other hosts have expired: either they were all away, or this host's clock is wrong`;
}

/** Logs what {@link suspectClock} says, as a warning. */
export function warnOfClock(snapshot: Snapshot, { node, log }: { node: string; log: Logger }): void {
  const suspicion = suspectClock(snapshot, node);
  if (suspicion !== undefined) {
    log.log("warning", suspicion, { code: "clock-suspected", hint: "timedatectl" });
  }
}
