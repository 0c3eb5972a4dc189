/** Many questions to etcd: one that waits for each answer would take seconds for the leases of a large network. */

/** How many are under way at once. */
const AT_ONCE = 16;

/**
 * Does `work` with each of the items, some at once. The first failure ends it all (the signal aborts) and is thrown when
 * nothing is under way any more.
 */
export async function atOnce<T>(
  items: readonly T[],
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const over = new AbortController();
  const failures: unknown[] = [];
  const waiting = items.values();
  const one = async () => {
    for (const item of waiting) {
      if (over.signal.aborted) return;
      try {
        await work(item, over.signal);
      } catch (error) {
        failures.push(error);
        over.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  if (failures.length > 0) throw failures[0];
}
