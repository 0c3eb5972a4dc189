/** What an event of the kernel means to the reconciler. */
import type { KernelEvent } from "./kernel.ts";
import { defaultMetric, type KernelObject, keyOf, type Neighbour, ROUTE_PROTOCOL } from "./state.ts";

/**
 * `nothing`: not about us, or our own doing. `look`: what is believed was amended, compare it with the plan.
 * `resync`: read the kernel.
 */
export type Meaning = "nothing" | "look" | "resync";

/**
 * Judges one event and amends `believed` where the event says enough. `links` are the names of our links.
 *
 * Every change of a link or an address by somebody else is a reason to read the kernel: IPv4 routes that the
 * kernel drops on such an occasion are not announced.
 */
export function noteEvent(
  event: KernelEvent,
  context: { believed: Map<string, KernelObject>; links: readonly string[] },
): Meaning {
  if (event.group === "overrun") return "resync";
  if (event.group === "neighbour") return noteNeighbour(event, context);
  if (event.own) return "nothing";
  switch (event.group) {
    case "link":
    case "address":
    case "proxy":
    case "ipsec":
    case "firewall":
      return "resync";
    case "nexthop":
      return event.protocol === undefined || event.protocol === ROUTE_PROTOCOL ? "resync" : "nothing";
    case "route":
      return concernsRoutes(event, context) ? "resync" : "nothing";
  }
}

/** A route of ours, one on our link, or one that stands (as a conflict does) or stood where we want ours. */
function concernsRoutes(
  event: KernelEvent,
  context: { believed: Map<string, KernelObject>; links: readonly string[] },
): boolean {
  if (event.protocol === undefined || event.protocol === ROUTE_PROTOCOL) return true;
  if (event.link !== undefined && context.links.includes(event.link)) return true;
  return event.subject === undefined ||
    context.believed.has(`route ${event.subject} metric ${defaultMetric(event.subject)}`);
}

function noteNeighbour(
  event: KernelEvent,
  context: { believed: Map<string, KernelObject>; links: readonly string[] },
): Meaning {
  const { link, subject: ip } = event;
  if (link === undefined || !context.links.includes(link)) return "nothing";
  if (ip === undefined) return event.own ? "nothing" : "resync";
  const key = keyOf({ kind: "neighbour", link, ip, mac: "", state: "none", protocol: 0 });
  const before = context.believed.get(key);
  if (event.action === "wanted") {
    context.believed.set(key, unresolved(before, { link, ip, state: event.state ?? "incomplete" }));
    return "look";
  }
  if (event.own) return "nothing";
  if (event.action === "delete") return context.believed.delete(key) ? "look" : "nothing";
  if (event.port !== 0 || event.state === undefined) return "resync";
  // The kernel itself changes no MAC of an entry that does not learn; it lets it age, and gives up on it.
  if (before?.kind === "neighbour") context.believed.set(key, { ...before, state: event.state });
  else if (resolved.has(event.state)) return "resync";
  else context.believed.set(key, unresolved(undefined, { link, ip, state: event.state }));
  return resolved.has(event.state) ? "nothing" : "look";
}

/** States in which an entry carries packets, so that nothing is to be done about it. */
const resolved: ReadonlySet<Neighbour["state"]> = new Set([
  "permanent",
  "noarp",
  "reachable",
  "stale",
  "delay",
]);

/** The entry as it stands while the kernel waits for an answer. An entry with a MAC keeps it while it is probed. */
function unresolved(
  before: KernelObject | undefined,
  asked: { link: string; ip: string; state: Neighbour["state"] },
): Neighbour {
  if (before?.kind === "neighbour") return { ...before, state: asked.state };
  return { kind: "neighbour", mac: "", protocol: 0, ...asked };
}
