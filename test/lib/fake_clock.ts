/** A clock under the test's control: time stands still until {@link FakeClock.advance}, and chance is seeded. */
import type { Clock } from "../../net/clock.ts";

interface Sleeper {
  readonly at: number;
  readonly order: number;
  wake(): void;
}

export interface FakeClockOptions {
  /** Wall clock at the start, milliseconds since 1970. */
  readonly now?: number;
  /** The same seed gives the same random numbers. */
  readonly seed?: number;
}

export class FakeClock implements Clock {
  #wall: number;
  #elapsed = 0;
  #order = 0;
  #state: number;
  readonly #sleepers = new Set<Sleeper>();
  readonly #watchers = new Set<() => void>();

  constructor(options: FakeClockOptions = {}) {
    this.#wall = options.now ?? Date.UTC(2026, 0, 1);
    this.#state = (options.seed ?? 1) >>> 0;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted || !(ms > 0)) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        at: this.#elapsed + ms,
        order: this.#order++,
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal?.removeEventListener("abort", sleeper.wake);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", sleeper.wake, { once: true });
      for (const watcher of [...this.#watchers]) watcher();
    });
  }

  turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** xorshift32 over the seed; the modulo bias does not matter to tests. */
  random(bound: number): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let x = this.#state || 1;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    x = Math.imul(x ^ (x >>> 15), 0x85ebca6b);
    return ((x ^ (x >>> 13)) >>> 0) % bound;
  }

  randomBytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.random(256));
  }

  /** How many sleeps have not ended. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** Resolves as soon as at least `count` sleeps are under way. */
  async untilSleeping(count = 1): Promise<void> {
    while (this.#sleepers.size < count) {
      await new Promise<void>((resolve) => {
        const watcher = () => {
          this.#watchers.delete(watcher);
          resolve();
        };
        this.#watchers.add(watcher);
      });
    }
  }

  /** Lets `ms` pass: every sleep that ends on the way ends at its own time, in order, also those begun meanwhile. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    for (;;) {
      const next = this.#first();
      if (next === undefined || next.at > end) break;
      this.#pass(Math.max(0, next.at - this.#elapsed));
      next.wake();
      await this.turn();
    }
    this.#pass(end - this.#elapsed);
    await this.passed();
  }

  /** At the end of a time that has passed. */
  protected passed(): Promise<void> {
    return this.turn();
  }

  /** Moves the wall clock alone, as an administrator or NTP does; no sleep ends by it. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  #first(): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (
        first === undefined || sleeper.at < first.at || sleeper.at === first.at && sleeper.order < first.order
      ) {
        first = sleeper;
      }
    }
    return first;
  }

  #pass(ms: number): void {
    this.#wall += ms;
    this.#elapsed += ms;
  }
}

/** Advances the clock until the work is done. */
export async function letTimePass<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  let done = false;
  const end = () => {
    done = true;
  };
  work.then(end, end);
  for (let i = 0; i < 10_000 && !done; i++) await clock.advance(100);
  return await work;
}
