/** What is not as planned, object by object, as it stands now. Pure. */
import type { Change } from "./kernel.ts";
import { differences } from "./differences.ts";
import { satisfies } from "./drift.ts";
import { type KernelObject, keyOf } from "./state.ts";

export interface Deviation {
  readonly is: "missing" | "wrong" | "stray";
  /** As it is planned, or as it stands where it is planned nowhere. */
  readonly object: KernelObject;
  /** What of a wrong one is another, "" where nothing that stands in the object says it. */
  readonly differences: string;
}

/**
 * From the changes that would mend it, in their order. What stands as planned and would only be made anew, because a link
 * that it is on has to be, is no deviation.
 */
export function deviations(
  changes: readonly Change[],
  actual: readonly KernelObject[],
): readonly Deviation[] {
  const concerned = new Set(changes.map(({ object }) => keyOf(object)));
  const standing = new Map<string, KernelObject[]>();
  for (const one of actual) {
    const key = keyOf(one);
    if (concerned.has(key)) standing.set(key, [...standing.get(key) ?? [], one]);
  }
  const made = new Set(changes.flatMap(({ verb, object }) => verb === "delete" ? [] : [keyOf(object)]));
  return changes.flatMap(({ verb, object }): Deviation[] => {
    const key = keyOf(object);
    if (verb === "delete") return made.has(key) ? [] : [{ is: "stray", object, differences: "" }];
    const found = standing.get(key) ?? [];
    if (found.length === 0) return [{ is: "missing", object, differences: "" }];
    if (verb === "add" && found.some((one) => satisfies(object, one))) return [];
    return [{ is: "wrong", object, differences: differences(object, found[0]!) }];
  });
}
