/** When what failed is tried again: after a second, and each time after twice as long, with jitter. */
import type { Clock } from "../net/clock.ts";

const WAIT_MS = { first: 1000, most: 60_000 };

export class Retry {
  #failures = 0;
  #error: unknown;
  #at = -Infinity;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Why it failed last, undefined once it did not. */
  get error(): unknown {
    return this.#error;
  }

  /** Milliseconds until it may be tried again, 0 for now. */
  nextIn(): number {
    return Math.max(0, this.#at - this.#clock.monotonic());
  }

  succeeded(): void {
    this.#failures = 0;
    this.#error = undefined;
    this.#at = -Infinity;
  }

  /** An attempt that began at `begun` (monotonic) has failed. */
  failed(error: unknown, begun: number): void {
    const wait = Math.min(WAIT_MS.first * 2 ** this.#failures++, WAIT_MS.most);
    this.#error = error;
    this.#at = begun + wait / 2 + this.#clock.random(Math.ceil(wait / 2));
  }

  /** It may be tried at once. */
  hasten(): void {
    this.#at = -Infinity;
  }
}
