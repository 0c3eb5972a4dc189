/** "Did you mean …": the known word that is nearest to a mistyped one. */

/** The nearest of `known` if at most a third of the letters differ, as a clause for a hint; else undefined. */
export function didYouMean(word: string, known: Iterable<string>): string | undefined {
  if (word.length > 64) return undefined;
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best === undefined ? undefined : `did you mean ${best}?`;
}

/** Levenshtein distance, one row at a time; two neighbours in the wrong order count as one mistake. */
function editDistance(a: string, b: string): number {
  let above: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const other = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(Math.min(other, row[j]! + 1, next[j - 1]! + 1, swapped ? above[j - 2]! + 1 : Infinity));
    }
    above = row;
    row = next;
  }
  return row[b.length]!;
}
