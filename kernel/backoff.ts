/** When what failed is tried again: later each time, and each at its own moment. */
import type { Clock } from "../net/clock.ts";

/** Milliseconds between attempts at the same thing. */
const SHORTEST = 1_000;
const LONGEST = 60_000;

interface Entry<V> {
  value: V;
  attempts: number;
  lastTry: number;
  retryAt: number;
}

/** Things that fail, by key. Each attempt doubles the wait, from 1–2 s to 30–60 s; half of it is chance. */
export class Backoff<V> {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry<V>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  keys(): string[] {
    return [...this.#entries.keys()];
  }

  /** Whether the thing failed and its time has not come. */
  waits(key: string): boolean {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.retryAt > this.#clock.monotonic();
  }

  /** Notes one more failure; returns whether it is the first. */
  failed(key: string, value: V): boolean {
    const now = this.#clock.monotonic();
    const attempts = (this.#entries.get(key)?.attempts ?? 0) + 1;
    const most = Math.min(LONGEST, SHORTEST * 2 ** Math.min(attempts, 10));
    const wait = most / 2 + this.#clock.random(most / 2);
    this.#entries.set(key, { value, attempts, lastTry: now, retryAt: now + wait });
    return attempts === 1;
  }

  /** Forgets the thing; returns what was kept of it. */
  forget(key: string): V | undefined {
    const value = this.get(key);
    this.#entries.delete(key);
    return value;
  }

  /** Something has changed that may help: everything is tried at once, or 1 s after its last attempt. */
  hasten(): void {
    for (const entry of this.#entries.values()) {
      entry.retryAt = Math.min(entry.retryAt, entry.lastTry + SHORTEST);
    }
  }

  /** Milliseconds until the first of them is due, or undefined where nothing fails. */
  get retryIn(): number | undefined {
    if (this.#entries.size === 0) return undefined;
    let first = Infinity;
    for (const { retryAt } of this.#entries.values()) first = Math.min(first, retryAt);
    return Math.max(0, first - this.#clock.monotonic());
  }
}
