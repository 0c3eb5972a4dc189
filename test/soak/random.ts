/** Chance that a seed repeats. */

/** Numbers from 0 on and below 1, the same for the same seed (Mulberry32, T. Ettinger 2017; a seed is 32 bits). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A number from `low` on and below `high`. */
export function between(random: () => number, low: number, high: number): number {
  return low + random() * (high - low);
}

/** All of them in some order, and then again in another one: each comes as often as the others. */
export function* dealt<T>(items: readonly T[], random: () => number): Generator<T, never> {
  while (true) {
    const deck = [...items];
    while (deck.length > 0) yield deck.splice(Math.floor(random() * deck.length), 1)[0]!;
  }
}
