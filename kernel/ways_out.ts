/** Whether the routes of a dump lead a packet on, as the kernel would decide it. Pure. */
import { mask, parseCidr, parseIp } from "../net/ip.ts";
import { isFlans } from "./ownership.ts";
import { type KernelObject, type Route, ROUTE_PROTOCOL } from "./state.ts";

/**
 * Tells of an IPv4 address whether a route leads there by which flan's own packets can leave: of those that are not flan's
 * the longest prefix that holds it decides, and of one prefix the lowest metric. Only the main table is known.
 */
export function wayOutTest(objects: readonly KernelObject[]): (address: string) => boolean {
  const tunnels = new Set(
    objects.flatMap((one) => one.kind === "link" && isFlans(one.alias) ? [one.name] : []),
  );
  const byLength = new Map<number, Map<bigint, Route>>();
  for (const route of objects) {
    if (route.kind !== "route" || route.protocol === ROUTE_PROTOCOL || tunnels.has(route.link)) continue;
    const { family, address, length } = parseCidr(route.destination);
    if (family !== 4) continue;
    const same = byLength.get(length) ?? new Map<bigint, Route>();
    const other = same.get(address);
    if (other === undefined || route.metric < other.metric) same.set(address, route);
    byLength.set(length, same);
  }
  const longestFirst = [...byLength].sort(([a], [b]) => b - a);
  return (address) => {
    const { value } = parseIp(address);
    for (const [length, prefixes] of longestFirst) {
      const route = prefixes.get(value & mask(4, length));
      if (route !== undefined) return route.type === "unicast";
    }
    return false;
  };
}
