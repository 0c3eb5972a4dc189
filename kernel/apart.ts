/** What two lists do not share, by identity. */

/** How far ahead a missing item is looked for. What lies farther is found all the same, only later. */
const AHEAD = 16;

/**
 * The items of `before` that are not in `after`, and the other way round. Lists that are nearly alike, in the
 * same order, cost little more than a walk. An item that is in a list more often than in the other is among them.
 */
export function apart<T>(before: readonly T[], after: readonly T[]): { gone: T[]; added: T[] } {
  const gone: T[] = [];
  const added: T[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length && j < after.length) {
    if (before[i] === after[j]) {
      i++;
      j++;
      continue;
    }
    const insertedUntil = near(after, before[i]!, j);
    const removedUntil = insertedUntil < 0 ? near(before, after[j]!, i) : -1;
    if (insertedUntil >= 0) { while (j < insertedUntil) added.push(after[j++]!); }
    else if (removedUntil >= 0) { while (i < removedUntil) gone.push(before[i++]!); }
    else {
      gone.push(before[i++]!);
      added.push(after[j++]!);
    }
  }
  while (i < before.length) gone.push(before[i++]!);
  while (j < after.length) added.push(after[j++]!);
  return withoutMoved(gone, added);
}

function near<T>(list: readonly T[], item: T, from: number): number {
  const end = Math.min(list.length, from + AHEAD);
  for (let at = from; at < end; at++) if (list[at] === item) return at;
  return -1;
}

/** What is in both has only moved; each is matched once. */
function withoutMoved<T>(gone: readonly T[], added: readonly T[]): { gone: T[]; added: T[] } {
  if (gone.length === 0 || added.length === 0) return { gone: [...gone], added: [...added] };
  const left = new Map<T, number>();
  for (const item of gone) left.set(item, (left.get(item) ?? 0) + 1);
  const more = added.filter((item) => !taken(left, item));
  const missing = gone.filter((item) => taken(left, item));
  return { gone: missing, added: more };
}

function taken<T>(left: Map<T, number>, item: T): boolean {
  const count = left.get(item) ?? 0;
  if (count > 0) left.set(item, count - 1);
  return count > 0;
}
