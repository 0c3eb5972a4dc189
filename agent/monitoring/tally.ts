/** What an agent counts since its start, for the metrics. */
import { type Refusal, refusalCodes } from "../../lease/lease.ts";
import { Counts } from "./counts.ts";

/** Upper bounds of the buckets of reconcile times, seconds: from a plan that is unchanged to ten thousand peers. */
const BOUNDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10] as const;

export interface Times {
  /** How many took at most so many seconds; the last bound is infinite. */
  readonly buckets: readonly { readonly bound: number; readonly count: number }[];
  /** Seconds. */
  readonly sum: number;
}

export class Tally {
  readonly #times = [...BOUNDS, Infinity].map((bound) => ({ bound, count: 0 }));
  #sum = 0;
  #overruns = 0;
  readonly #rejected = new Counts(refusalCodes.map((reason) => ({ reason })));
  #refused: ReadonlySet<string> = new Set();

  /** A reconcile took so many milliseconds. */
  reconciled(ms: number): void {
    const seconds = ms / 1000;
    this.#sum += seconds;
    for (const one of this.#times) if (seconds <= one.bound) one.count++;
  }

  /** The kernel had more to tell than there was room for. */
  overran(): void {
    this.#overruns++;
  }

  /** These leases are refused now; each is counted when that begins. */
  refused(now: readonly Refusal[]): void {
    for (const { subnet, code } of now) {
      if (!this.#refused.has(`${subnet} ${code}`)) this.#rejected.add({ reason: code });
    }
    this.#refused = new Set(now.map(({ subnet, code }) => `${subnet} ${code}`));
  }

  get times(): Times {
    return { buckets: this.#times, sum: this.#sum };
  }

  get overruns(): number {
    return this.#overruns;
  }

  /** By `reason`. */
  get rejected(): Counts {
    return this.#rejected;
  }
}
