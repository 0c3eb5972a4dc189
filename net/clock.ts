/**
 * Time and chance, as an interface. The one implementation on real time is `agent/clock.ts`; tests and the
 * simulator bring their own. No other file asks the system for the time, a timer or a random number
 * (`test/arch_test.ts` holds that).
 */
export interface Clock {
  /** Wall clock, milliseconds since 1970 (UTC). For what is written down; never for measuring a duration. */
  now(): number;
  /** Monotonic milliseconds from an arbitrary start. For durations and deadlines. */
  monotonic(): number;
  /** Resolves after `ms` milliseconds, or at once when `signal` aborts (it never rejects). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Gives timers, sockets and signals a turn, then resolves. */
  turn(): Promise<void>;
  /** A uniformly random integer, 0 ≤ n < `bound`. */
  random(bound: number): number;
  /** `length` random bytes fit for identities. */
  randomBytes(length: number): Uint8Array<ArrayBuffer>;
}
