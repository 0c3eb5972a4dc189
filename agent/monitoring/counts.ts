/** How often something happened, told apart by a few labels. */

export type Labels = Readonly<Record<string, string>>;

/** Names come from others (programs, for one), and whoever keeps the numbers keeps each combination for ever. */
const MOST = 100;

export class Counts {
  readonly #counts = new Map<string, { readonly labels: Labels; count: number }>();
  readonly #most: number;

  /** Combinations that are `known` are there from the start, so that whoever compares two readings sees the first one. */
  constructor(known: readonly Labels[] = []) {
    for (const labels of known) this.#counts.set(JSON.stringify(labels), { labels, count: 0 });
    this.#most = known.length + MOST;
  }

  /** Counts one more; combinations beyond those known and a hundred more are counted together, with `other` for each label. */
  add(labels: Labels): void {
    const isKnown = this.#counts.has(JSON.stringify(labels)) || this.#counts.size < this.#most;
    const kept = isKnown
      ? labels
      : Object.fromEntries(Object.keys(labels).map((name) => [name, "other"] as const));
    const key = JSON.stringify(kept);
    const one = this.#counts.get(key);
    if (one === undefined) this.#counts.set(key, { labels: kept, count: 1 });
    else one.count++;
  }

  /** Those known, and others in the order in which they came first. */
  list(): readonly { readonly labels: Labels; readonly count: number }[] {
    return [...this.#counts.values()];
  }
}
