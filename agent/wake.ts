/** What the agent's loop waits on: reasons to look again, collected until it has time for them. */
import type { Clock } from "../net/clock.ts";

export class Wake<Reason> {
  #pending = new Set<Reason>();
  #arrived = new AbortController();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes a reason and wakes the loop. A reason that is noted already costs nothing. */
  because(reason: Reason): void {
    this.#pending.add(reason);
    // With a reason of its own: an exception with its stack would be made at every wake otherwise.
    this.#arrived.abort("arrived");
  }

  /** Resolves to the reasons that came, at once if there are any, or to none after `ms`. */
  async wait(ms: number): Promise<ReadonlySet<Reason>> {
    if (this.#pending.size === 0) await this.#clock.sleep(ms, this.#arrived.signal);
    const reasons = this.#pending;
    this.#pending = new Set();
    this.#arrived = new AbortController();
    return reasons;
  }
}
