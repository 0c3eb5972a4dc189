/** When a remote store that fails is asked again, and what is told of it meanwhile. */
import type { Clock } from "../../net/clock.ts";
import type { FlanError } from "../../net/errors.ts";

/** Milliseconds between attempts: the first, doubled each time, and the longest. */
const PAUSE = { first: 500, most: 30_000 };
/** Milliseconds without a failure, after which what was before counts no more. */
const CALM = 10_000;
/** How many ends of trouble are believed at once before it was calm; the next only when it is. */
const FLAPS = 2;

/**
 * A store that fails now and then counts as failing: neither do its good answers in between shorten the pauses, nor
 * is each of them told.
 */
export class Backoff {
  readonly #clock: Clock;
  readonly #troubled: (error: FlanError | undefined) => void;
  /** Attempts that failed since it was calm. */
  #failures = 0;
  /** Ends of trouble that were told since it was calm. */
  #flaps = 0;
  /** Monotonic milliseconds of the first success after the latest failure. */
  #goodSince: number | undefined;
  #told: string | undefined;

  /** `troubled` is called for each new cause of trouble, and without an error when it is over. */
  constructor(clock: Clock, troubled: (error: FlanError | undefined) => void) {
    this.#clock = clock;
    this.#troubled = troubled;
  }

  /** Notes a failure; returns the milliseconds to wait before the next attempt. */
  failed(error: FlanError): number {
    this.#goodSince = undefined;
    if (error.code !== this.#told) this.#troubled(error);
    this.#told = error.code;
    const longest = Math.min(PAUSE.first * 2 ** this.#failures++, PAUSE.most);
    return longest / 2 + this.#clock.random(longest / 2);
  }

  /** Notes a success. */
  succeeded(): void {
    const now = this.#clock.monotonic();
    this.#goodSince ??= now;
    const calm = now - this.#goodSince >= CALM;
    if (calm) this.#failures = this.#flaps = 0;
    if (this.#told === undefined || !calm && this.#flaps++ >= FLAPS) return;
    this.#told = undefined;
    this.#troubled(undefined);
  }
}
