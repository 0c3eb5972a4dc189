/** What the kernel holds after changes that it acknowledged, without reading it back. */
import type { Change } from "./kernel.ts";
import { linkOf, nexthopOf } from "./relations.ts";
import { type KernelObject, keyOf, sameObject } from "./state.ts";

/**
 * Carries `changes` over into `state` (by `keyOf`), with what the kernel does by itself: a deleted link takes
 * everything on it along, a new MAC its neighbours, a deleted nexthop its routes.
 */
export function recordChanges(state: Map<string, KernelObject>, changes: Iterable<Change>): void {
  const withoutNexthop = new Set<string>();
  for (const { verb, object } of changes) {
    const key = keyOf(object);
    const before = state.get(key);
    if (verb !== "delete") {
      state.set(key, object);
      withoutNexthop.delete(key);
      if (object.kind === "link" && before?.kind === "link" && before.mac !== object.mac) {
        drop(state, (other) => other.kind === "neighbour" && other.link === object.name);
      }
    } else if (object.kind === "link") {
      state.delete(key);
      drop(state, (other) => linkOf(other) === object.name);
    } else {
      // Where the kernel held two objects of one key, the other one stays.
      if (before !== undefined && sameObject(before, object)) state.delete(key);
      if (object.kind === "nexthop") withoutNexthop.add(key);
    }
  }
  if (withoutNexthop.size > 0) drop(state, (other) => withoutNexthop.has(nexthopOf(other)));
}

function drop(state: Map<string, KernelObject>, which: (object: KernelObject) => boolean): void {
  for (const [key, object] of state) {
    if (which(object)) state.delete(key);
  }
}
