/** Pauses before the next attempt of a watch, which end as soon as somebody else finds that etcd answers. */
import type { Clock } from "../../net/clock.ts";

export class Pauses {
  readonly #under = new Set<AbortController>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves after `ms` milliseconds, when etcd has answered another call, or when `signal` aborts. */
  async pause(ms: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    this.#under.add(over);
    await this.#clock.sleep(ms, AbortSignal.any([signal, over.signal]));
    this.#under.delete(over);
  }

  /** A call was answered. */
  end(): void {
    for (const over of this.#under) over.abort();
  }
}
