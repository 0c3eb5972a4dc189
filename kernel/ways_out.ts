/** Whether the routes of a dump lead a packet on, as the kernel would decide it. Pure. */
import { type Family, mask, parseCidr, parseIp } from "../net/ip.ts";
import { isFlans } from "./ownership.ts";
import { type KernelObject, type Route, ROUTE_PROTOCOL } from "./state.ts";

/**
 * Tells of an address whether a route leads there by which flan's own packets can leave: of those that are not flan's
 * the longest prefix that holds it decides, and of one prefix the lowest metric. Only the main table is known.
 */
export function wayOutTest(objects: readonly KernelObject[]): (address: string) => boolean {
  const tunnels = new Set(
    objects.flatMap((one) => one.kind === "link" && isFlans(one.alias) ? [one.name] : []),
  );
  const byLength: Readonly<Record<Family, Map<number, Map<bigint, Route>>>> = { 4: new Map(), 6: new Map() };
  for (const route of objects) {
    if (route.kind !== "route" || route.protocol === ROUTE_PROTOCOL || tunnels.has(route.link)) continue;
    const { family, address, length } = parseCidr(route.destination);
    const same = byLength[family].get(length) ?? new Map<bigint, Route>();
    const other = same.get(address);
    if (other === undefined || route.metric < other.metric) same.set(address, route);
    byLength[family].set(length, same);
  }
  const longestFirst = (family: Family) => [...byLength[family]].sort(([a], [b]) => b - a);
  const sorted = { 4: longestFirst(4), 6: longestFirst(6) };
  return (address) => {
    const { family, value } = parseIp(address);
    for (const [length, prefixes] of sorted[family]) {
      const route = prefixes.get(value & mask(family, length));
      if (route !== undefined) return route.type === "unicast";
    }
    return false;
  };
}
