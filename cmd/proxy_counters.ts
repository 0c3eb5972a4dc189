/** The proxy's counters as they are shown. Pure. */

export type Counters = Readonly<Record<string, number>>;

/** Traffic first, then the drops that are not 0. Whatever another version counts is shown like ours. */
export function shownCounters(counters: Counters): (readonly [name: string, value: number])[] {
  const isDrop = ([name]: readonly [string, number]) => name.includes("_drop_");
  const all = Object.entries(counters);
  return [...all.filter((one) => !isDrop(one)), ...all.filter((one) => isDrop(one) && one[1] !== 0)];
}

/** Per second, rounded. A counter that went back is another process's, and counted from 0. */
export function ratesOf(before: Counters, now: Counters, milliseconds: number): Counters {
  return Object.fromEntries(
    Object.entries(now).map(([name, value]) => {
      const former = before[name] ?? 0;
      const more = value >= former ? value - former : value;
      return [name, Math.round(more * 1000 / Math.max(1, milliseconds))];
    }),
  );
}
