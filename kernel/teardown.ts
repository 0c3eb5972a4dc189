/** Takes away what flan made: after a crash too, and without knowing the plan or the network. */
import { drift } from "./drift.ts";
import type { Change, Failure, Kernel } from "./kernel.ts";
import { claims, type Owner } from "./ownership.ts";
import { byRank } from "./relations.ts";
import { type KernelObject, keyOf } from "./state.ts";

/** How often what was refused is looked at and tried again. */
const ROUNDS = 3;

export interface Teardown {
  /** Ours, and gone; what went with its link is included. In the order in which it would be made. */
  readonly removed: readonly KernelObject[];
  /** What the kernel refused to remove. */
  readonly failures: readonly Failure[];
}

/**
 * Removes exactly what is ours, backwards. Throws KernelError when the kernel cannot be read or asked at all.
 */
export async function teardown(kernel: Kernel, owner: Owner): Promise<Teardown> {
  let before = await read(kernel, owner);
  const claim = claims(owner, before);
  const ours = before.filter((object) => claim(object) === "ours");
  let failures: readonly Failure[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const { changes } = drift([], before, owner);
    if (changes.length === 0) break;
    failures = await applyAll(kernel, changes);
    before = await read(kernel, owner);
    if (failures.length === 0) break;
  }
  const left = new Set(before.map(keyOf));
  // A hook that was given up is not there any more, and what it made is.
  const refused = failures.filter(({ change: { object } }) =>
    object.kind === "hook" || left.has(keyOf(object))
  );
  for (const { change } of refused) left.add(keyOf(change.object));
  return { removed: ours.filter((object) => !left.has(keyOf(object))).sort(byRank), failures: refused };
}

/** Returns what was tried and refused, when everything was tried. */
async function applyAll(kernel: Kernel, changes: readonly Change[]): Promise<Failure[]> {
  const refused: Failure[] = [];
  for (let rest = changes; rest.length > 0;) {
    const failures = await kernel.apply(rest);
    refused.push(...failures.filter(({ later }) => !later));
    rest = failures.filter(({ later }) => later).map(({ change }) => change);
  }
  return refused;
}

/** Reads the neighbours and FDB entries of every link that is ours by its alias, whatever its name is now. */
async function read(kernel: Kernel, owner: Owner): Promise<readonly KernelObject[]> {
  const objects = await kernel.dump({ links: owner.links, sysctls: [] });
  const names = new Set(owner.links);
  for (const object of objects) {
    if (object.kind === "link" && object.alias === owner.alias) names.add(object.name);
  }
  return names.size === owner.links.length ? objects : await kernel.dump({ links: [...names], sysctls: [] });
}
