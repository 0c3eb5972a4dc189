/** That the agent's loop turns: known to whoever asks, and told to whoever watches, who hears nothing of one that hangs. */
import type { Clock } from "../net/clock.ts";

export interface Watcher {
  /** Milliseconds in which the loop turns at least once. */
  readonly every: number;
  /** The loop turns. Must not throw. */
  turned(): void;
}

export class Pulse {
  readonly #clock: Clock;
  readonly #watcher: Watcher | undefined;
  #turnedAt: number;

  constructor(clock: Clock, watcher: Watcher | undefined) {
    this.#clock = clock;
    this.#watcher = watcher;
    this.#turnedAt = clock.monotonic();
  }

  /** Called by the loop itself, and by nothing else: a timer would beat on for a loop that hangs. */
  turned(): void {
    this.#turnedAt = this.#clock.monotonic();
    this.#watcher?.turned();
  }

  /** Milliseconds since the loop turned, or since the agent began to join. */
  get still(): number {
    return this.#clock.monotonic() - this.#turnedAt;
  }

  /** Milliseconds in which the loop has to turn again, whatever it waits for. */
  get every(): number {
    return this.#watcher?.every ?? Infinity;
  }
}
