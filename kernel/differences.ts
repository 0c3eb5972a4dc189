/** What of an object is another than planned, in words. Pure. */
import type { KernelObject } from "./state.ts";

/** `mtu is 1300, not 1450`, and of a part of the object `vxlan.port is 4789, not 8472`; "" where nothing differs. */
export function differences(wanted: KernelObject, found: KernelObject): string {
  return partsOf(wanted, found, "").join(", ");
}

function partsOf(wanted: object, found: object, within: string): string[] {
  const actual = new Map(Object.entries(found));
  return Object.entries(wanted).flatMap(([name, to]) => {
    // Only a plan has it, and the key that comes of it is told apart.
    if (name === "derivation") return [];
    const is = actual.get(name);
    if (Array.isArray(to) && Array.isArray(is)) return ofLists(to, is, `${within}${name}`);
    if (isObject(to) && isObject(is)) return partsOf(to, is, `${within}${name}.`);
    if (name === "up" && is === false && to === true) return [`${within}is down`];
    return is === to ? [] : [`${within}${name} is ${wordOf(is)}, not ${wordOf(to)}`];
  });
}

/** Rules of the packet filter are told by their number: nft shows them better. */
function ofLists(wanted: readonly unknown[], found: readonly unknown[], name: string): string[] {
  if (JSON.stringify(wanted) === JSON.stringify(found)) return [];
  if (![...wanted, ...found].some(isObject)) {
    return [`${name} is ${found.join(" ") || "none"}, not ${wanted.join(" ") || "none"}`];
  }
  return wanted.length === found.length
    ? [`${name} are other ones`]
    : [`${name} are ${found.length}, not ${wanted.length}`];
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function wordOf(value: unknown): string {
  if (isObject(value)) return JSON.stringify(value);
  return String(value === false || value === 0 ? value : value || "none");
}
