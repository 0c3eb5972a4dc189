/** The time that a lease is given: it counts from before the request, because the answer may be long in coming. */
import type { Clock } from "../../net/clock.ts";

export class Life {
  /** When the request was made, milliseconds since 1970. */
  readonly began: number;
  /** Seconds; undefined for a reservation. */
  readonly ttl: number | undefined;
  readonly #clock: Clock;
  readonly #start: number;

  constructor(clock: Clock, ttl: number | undefined) {
    this.began = clock.now();
    this.ttl = ttl;
    this.#clock = clock;
    this.#start = clock.monotonic();
  }

  /** Milliseconds since 1970; undefined for a reservation. */
  get expires(): number | undefined {
    return this.ttl === undefined ? undefined : this.began + this.ttl * 1000;
  }

  /** Whether all of it has passed: this host was frozen meanwhile, and others may have the subnet. */
  get isOver(): boolean {
    return this.ttl !== undefined && this.#clock.monotonic() - this.#start >= this.ttl * 1000;
  }
}
