/** The watch of a store that can be read whole: read, hand out what is new, wait for a reason to look again. */
import type { Clock } from "../../net/clock.ts";
import { FlanError } from "../../net/errors.ts";
import type { Bell } from "../bell.ts";
import { nextExpiry } from "./change.ts";
import type { Snapshot } from "../store.ts";

/** Longer sleeps are cut: timers are 32 bits wide, and the wall clock may be set meanwhile. */
const LONGEST_SLEEP = 60 * 60 * 1000;

export interface Source {
  readonly url: string;
  readonly clock: Clock;
  /** Rings after every change of what `read` returns, except for expiries. */
  readonly bell: Bell;
  /** After how many milliseconds without a ring to look all the same; for a bell that can go deaf. */
  readonly recheck?: number;
  /** Whether a smaller revision is yielded like any other change; otherwise the watch ends with an error. */
  readonly acceptsOlder?: boolean;
  /** The snapshot of this moment, or undefined while there is none that can be used. */
  read(): Promise<Snapshot | undefined>;
}

/**
 * Yields snapshots newer than `from` until `signal` aborts. Whether something is new is found by comparing with
 * what was yielded last, not by the revision alone: an expiry has none, and a lease that one clock calls expired
 * may be alive again at the next look. What the caller knows at `from` cannot be compared; where leases have
 * expired it may be more than there is now, and the first snapshot is yielded in any case. Throws `store` when the
 * revision goes back, which means that another document was put in place of the watched one.
 */
export async function* watchSnapshots(
  source: Source,
  { from, signal }: { from: number; signal: AbortSignal },
): AsyncGenerator<Snapshot> {
  let seen = from;
  let last: Snapshot | undefined;
  while (!signal.aborted) {
    const snapshot = await source.read();
    if (signal.aborted) return;
    if (snapshot !== undefined && snapshot.revision < seen && !source.acceptsOlder) {
      throw wentBack(source.url, seen, snapshot.revision);
    }
    if (snapshot !== undefined) {
      const isNew = last === undefined
        ? snapshot.revision !== seen || snapshot.past.some(({ how }) => how === "expired")
        : !sameContents(snapshot, last);
      seen = snapshot.revision;
      last = snapshot;
      if (isNew) yield snapshot;
    }
    await pause(source, { until: snapshot === undefined ? Infinity : nextExpiry(snapshot), signal });
  }
}

/** By value: another document in the place of the watched one may stand at the same revision. */
function sameContents(a: Snapshot, b: Snapshot): boolean {
  return a.revision === b.revision && sameValue(a.config, b.config) &&
    a.records.length === b.records.length &&
    a.records.every((record, i) => sameValue(record, b.records[i]!));
}

function sameValue<T>(a: T, b: T): boolean {
  // Snapshots of one document share what they are made of.
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** Waits for the bell, the time `until` (milliseconds since 1970) or the signal. */
async function pause(
  { bell, clock, recheck }: Source,
  { until, signal }: { until: number; signal: AbortSignal },
): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const length = Math.min(until - clock.now(), recheck ?? (until === Infinity ? Infinity : LONGEST_SLEEP));
  const sleep = length === Infinity ? [] : [clock.sleep(length, either)];
  try {
    await Promise.race([bell.wait(either), ...sleep]);
  } finally {
    over.abort();
  }
}

function wentBack(url: string, seen: number, revision: number): FlanError {
  return new FlanError(
    `Cannot go on watching ${url}: its revision went back from ${seen} to ${revision}`,
    { op: "store.watch", code: "store" },
  );
}
