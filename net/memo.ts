/** What was made of an object, kept as long as the object lives: values of flan do not change once they are made. */

/**
 * A function that returns what `make` made of `key` before, as long as the `facts` that it was made with are the
 * `same`; otherwise `make` is called and the former result forgotten. `make` must depend on nothing else.
 */
export function memo<K extends object, F, V>(
  make: (key: K, facts: F) => V,
  same: (a: F, b: F) => boolean = (a, b) => a === b,
): (key: K, facts: F) => V {
  const known = new WeakMap<K, { readonly facts: F; readonly value: V }>();
  return (key, facts) => {
    const before = known.get(key);
    if (before !== undefined && same(before.facts, facts)) return before.value;
    const value = make(key, facts);
    known.set(key, { facts, value });
    return value;
  };
}
