/** What the kernel refused, and when it is tried again. Telling people of it is the caller's, from the report. */
import type { Clock } from "../net/clock.ts";
import { Backoff } from "./backoff.ts";
import type { Change, Failure } from "./kernel.ts";
import { keyOf, sameObject } from "./state.ts";

/** The key under which a failure of a whole call is kept; no object has it. */
const CALL = "kernel";

export class Troubles {
  readonly #failing: Backoff<Failure | undefined>;
  #callError: unknown;
  /** Whether there is something that was not tried. */
  #hasLater = false;

  constructor(clock: Clock) {
    this.#failing = new Backoff(clock);
  }

  /** Whether the change failed lately and is not to be tried yet; another value is tried at once. */
  waits(change: Change): boolean {
    if (this.#failing.size === 0) return false;
    const key = keyOfChange(change);
    if (!this.#failing.waits(key)) return false;
    const failed = this.#failing.get(key);
    return failed !== undefined && sameObject(failed.change.object, change.object);
  }

  /** Whether the last whole call failed and the next is not to be tried yet. */
  get callWaits(): boolean {
    return this.#failing.waits(CALL);
  }

  /** Why the last whole call failed, until one succeeds. */
  get callError(): unknown {
    return this.#callError;
  }

  /** How each of these changes failed when it was tried last. */
  lastFailures(changes: readonly Change[]): Failure[] {
    return changes.map((change) => this.#failing.get(keyOfChange(change))).filter((one) => one !== undefined);
  }

  isFailing(change: Change): boolean {
    return this.#failing.get(keyOfChange(change)) !== undefined;
  }

  /** A whole call (the dump, the batch) failed. */
  callFailed(error: unknown): void {
    this.#callError = error;
    this.#failing.failed(CALL, undefined);
  }

  callSucceeded(): void {
    this.#failing.forget(CALL);
    this.#callError = undefined;
  }

  /** Takes what failed in this reconcile as failing, keeps what is `waiting` for its time, and forgets the rest. */
  settle(failures: readonly Failure[], waiting: readonly Change[]): void {
    const keep = new Set(waiting.map(keyOfChange)).add(CALL);
    this.#hasLater = failures.some(({ later }) => later);
    for (const failure of failures) {
      if (failure.later) continue;
      keep.add(keyOfChange(failure.change));
      this.#failing.failed(keyOfChange(failure.change), failure);
    }
    for (const key of this.#failing.keys()) if (!keep.has(key)) this.#failing.forget(key);
  }

  /** The kernel changed: what fails may be tried soon. */
  hasten(): void {
    this.#failing.hasten();
  }

  get retryIn(): number | undefined {
    return this.#hasLater ? 0 : this.#failing.retryIn;
  }
}

/** An object's removal and its making fail each for itself. */
function keyOfChange({ verb, object }: Change): string {
  return `${verb} ${keyOf(object)}`;
}
