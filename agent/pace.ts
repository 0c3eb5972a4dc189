/** How often the kernel is looked at: never more than a share of the time, and not too seldom either. */
import type { Clock } from "../net/clock.ts";

/** Looked at even when nothing says so: not everything that goes missing announces itself. */
export const RESYNC_MS = 30_000;
/** A look may take a tenth of the time, so that somebody who flushes in a loop cannot busy us; … */
const SHARE = 10;
/** … but damage is never left for longer than this. */
const LONGEST_PAUSE_MS = 1000;

export class Pace {
  #next = 0;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A look that began at `begun` (monotonic) is over. */
  looked(begun: number): void {
    const now = this.#clock.monotonic();
    this.#next = now + Math.min(SHARE * (now - begun), LONGEST_PAUSE_MS);
  }

  /** Resolves when the next look may begin, or when `signal` aborts. */
  async turn(signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(this.#next - this.#clock.monotonic(), signal);
  }
}
