/** Changes that go to several places, each to its own, in the order in which they stand. */
import type { Change, Failure } from "./kernel.ts";

/** Gives each stretch of changes that are alike under `isMine` to whom it concerns, one after another. */
export async function inStretches(
  changes: readonly Change[],
  { isMine, mine, others }: {
    isMine: (change: Change) => boolean;
    mine: (changes: readonly Change[]) => Promise<readonly Failure[]>;
    others: (changes: readonly Change[]) => Promise<readonly Failure[]>;
  },
): Promise<readonly Failure[]> {
  if (!changes.some(isMine)) return await others(changes);
  const failures: Failure[] = [];
  for (let at = 0; at < changes.length;) {
    const ours = isMine(changes[at]!);
    let end = at + 1;
    while (end < changes.length && isMine(changes[end]!) === ours) end++;
    const stretch = changes.slice(at, end);
    failures.push(...await (ours ? mine(stretch) : others(stretch)));
    at = end;
  }
  return failures;
}
