/** What has to happen to `actual` so that it equals `desired`: both by key, compared by value. */
export interface Delta<V> {
  /** Desired, and not there. In the order of `desired`. */
  readonly add: V[];
  /** There under the same key with another value. In the order of `desired`. */
  readonly change: { readonly from: V; readonly to: V }[];
  /** There, and not desired. In the order of `actual`. */
  readonly remove: V[];
}

/** Compares two maps; `same(desired, actual)` says whether what is there will do. */
export function delta<K, V>(
  desired: ReadonlyMap<K, V>,
  actual: ReadonlyMap<K, V>,
  same: (desired: V, actual: V) => boolean,
): Delta<V> {
  const result: Delta<V> = { add: [], change: [], remove: [] };
  for (const [key, to] of desired) {
    const from = actual.get(key);
    if (from === undefined) result.add.push(to);
    else if (!same(to, from)) result.change.push({ from, to });
  }
  for (const [key, value] of actual) {
    if (!desired.has(key)) result.remove.push(value);
  }
  return result;
}
