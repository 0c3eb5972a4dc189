/** What a check is, and what it finds. */
import type { Diagnosis } from "./diagnosis.ts";
import type { Facts, Seen } from "./facts.ts";

export interface Check {
  /** What people read of it where all is well. */
  readonly name: string;
  /** Judges the facts, and nothing else. */
  readonly judge: (facts: Facts) => Outcome;
}

/** What was found, and why not everything could be looked at. */
export interface Outcome {
  readonly found: readonly Diagnosis[];
  readonly unseen: string | undefined;
}

/** The outcome of looking at facts that may be hidden; the first hidden one says why. */
export function looked<T extends readonly Seen<unknown>[]>(
  facts: readonly [...T],
  judge: (...seen: { [K in keyof T]: T[K] extends Seen<infer V> ? V : never }) => readonly Diagnosis[],
): Outcome {
  const values: unknown[] = [];
  for (const fact of facts) {
    if ("unseen" in fact) return { found: [], unseen: fact.unseen };
    values.push(fact.seen);
  }
  return {
    found: judge(...values as { [K in keyof T]: T[K] extends Seen<infer V> ? V : never }),
    unseen: undefined,
  };
}
