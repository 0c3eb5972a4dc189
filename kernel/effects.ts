/** What the kernel holds after changes that it acknowledged, without reading it back. */
import { familyOf } from "../net/ip.ts";
import type { Change } from "./kernel.ts";
import { isProxys, linkOf, nexthopOf, proxyOf } from "./relations.ts";
import { type KernelObject, keyOf, sameObject } from "./state.ts";

/**
 * Carries `changes` over into `state` (by `keyOf`), with what the kernel does by itself: a deleted link takes
 * everything on it along (its proxy stays, and carries nothing), a new MAC its neighbours, a deleted nexthop its
 * routes, a stopped proxy its own, and the last IPv4 address of a link its family's neighbours and routes without nexthop
 * object on it. With an address of IPv6 nothing else goes.
 */
export function recordChanges(state: Map<string, KernelObject>, changes: Iterable<Change>): void {
  const withoutNexthop = new Set<string>();
  for (const { verb, object } of changes) {
    const key = keyOf(object);
    const before = state.get(key);
    if (verb !== "delete") {
      if (withoutNexthop.delete(key)) drop(state, (other) => nexthopOf(other) === key);
      state.set(key, object);
      if (object.kind === "link" && before?.kind === "link" && before.mac !== object.mac) {
        drop(state, (other) => other.kind === "neighbour" && other.link === object.name);
      }
    } else if (object.kind === "link") {
      state.delete(key);
      drop(state, (other) => linkOf(other) === object.name && !isProxys(other));
      const proxy = state.get(`proxy ${object.name}`);
      if (proxy?.kind === "proxy") state.set(keyOf(proxy), { ...proxy, carrying: false });
    } else {
      // Of these the kernel may hold several under one key; the other one stays.
      const several = object.kind === "route" || object.kind === "fdb";
      if (!several || (before !== undefined && sameObject(before, object))) state.delete(key);
      if (object.kind === "nexthop") withoutNexthop.add(key);
      if (object.kind === "proxy") drop(state, (other) => proxyOf(other) === key);
      if (before?.kind === "address" && familyOf(before.address) === 4) dropUnaddressed(state, before.link);
    }
  }
  if (withoutNexthop.size > 0) drop(state, (other) => withoutNexthop.has(nexthopOf(other)));
}

function dropUnaddressed(state: Map<string, KernelObject>, link: string): void {
  for (const other of state.values()) {
    if (other.kind === "address" && other.link === link && familyOf(other.address) === 4) return;
  }
  drop(state, (other) => linkOf(other) === link && needsAddress(other));
}

function needsAddress(object: KernelObject): boolean {
  if (object.kind === "neighbour") return familyOf(object.ip) === 4;
  return object.kind === "route" && object.nexthop === 0 && familyOf(object.destination) === 4;
}

function drop(state: Map<string, KernelObject>, which: (object: KernelObject) => boolean): void {
  for (const [key, object] of state) {
    if (which(object)) state.delete(key);
  }
}
