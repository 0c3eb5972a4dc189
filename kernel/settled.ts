/**
 * A plan that the kernel was found to hold, so that the next one need only be compared where it is another: a
 * network of ten thousand hosts has forty thousand objects, and one changed lease concerns four of them.
 */
import { apart } from "./apart.ts";
import type { Drift, ObjectState } from "./drift.ts";
import { type KernelObject, keyOf, type ObjectKind, sameObject } from "./state.ts";

export interface Settled {
  /** Each key once, and each there as it should be. */
  readonly desired: readonly KernelObject[];
  /** Every link that there is: they decide whose the other objects are. */
  readonly links: readonly KernelObject[];
  readonly state: Map<string, ObjectState>;
}

/** What of a plan and of the kernel has to be compared. */
export interface Part {
  readonly desired: readonly KernelObject[];
  readonly actual: readonly KernelObject[];
  /** Keys that are not desired any more. */
  readonly gone: readonly string[];
}

/** Remembers that a comparison found nothing to do; undefined where the plan has a key twice. */
export function settle(
  desired: readonly KernelObject[],
  believed: ReadonlyMap<string, KernelObject>,
  { state }: Pick<Drift, "state">,
): Settled | undefined {
  if (state.size !== desired.length) return undefined;
  return { desired, links: [...believed.values()].filter(({ kind }) => kind === "link"), state };
}

/**
 * The part of `desired` that is another than in `settled`, with what stands in its place. Undefined where more than
 * that may be concerned: a link, an address or a proxy takes other objects along, and a key that something else has
 * already is for the whole comparison to judge.
 */
export function partOf(
  desired: readonly KernelObject[],
  believed: ReadonlyMap<string, KernelObject>,
  settled: Settled,
): Part | undefined {
  const { gone, added } = changed(apart(settled.desired, desired));
  if ([...gone, ...added].some(({ kind }) => takesAlong.has(kind))) return undefined;
  const former = new Set(gone.map(keyOf));
  const keys = new Set(added.map(keyOf));
  if (keys.size < added.length) return undefined;
  for (const key of keys) if (!former.has(key) && believed.has(key)) return undefined;
  const actual = [...former].map((key) => believed.get(key)).filter((object) => object !== undefined);
  return {
    desired: [...desired.filter(({ kind }) => kind === "link"), ...added],
    actual: [...settled.links, ...actual],
    gone: [...former].filter((key) => !keys.has(key)),
  };
}

const takesAlong: ReadonlySet<ObjectKind> = new Set(["link", "address", "proxy"]);

/** Without what is only another object of the same value. */
function changed({ gone, added }: { gone: KernelObject[]; added: KernelObject[] }) {
  const before = new Map(gone.map((object) => [keyOf(object), object]));
  const alike = new Set<string>();
  for (const object of added) {
    const former = before.get(keyOf(object));
    if (former !== undefined && sameObject(former, object)) alike.add(keyOf(object));
  }
  const isOther = (object: KernelObject) => !alike.has(keyOf(object));
  return { gone: gone.filter(isOther), added: added.filter(isOther) };
}
