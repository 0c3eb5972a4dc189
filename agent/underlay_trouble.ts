/** Whether the underlay carries anything: its link is up with carrier, and there is a way from this host to somebody. */
import type { PeerPlan, Underlay } from "../backends/backend.ts";
import { type Kernel, MAIN_TABLE, type RouteMatch, type RouteQuery } from "../kernel/kernel.ts";
import { bearsMark, isFlans } from "../kernel/ownership.ts";
import type { KernelObject } from "../kernel/state.ts";
import { wayOutTest } from "../kernel/ways_out.ts";
import { KernelError } from "../net/errors.ts";
import { familyOf } from "../net/ip.ts";
import { isCarried } from "./probing/targets.ts";

/**
 * How many peers the kernel is asked about, from all over the network: whoever routes by rules does so for more than one
 * of them, and neighbours in the list often stand in one place.
 */
const ASKED = 16;

/**
 * A sentence, or undefined where nothing is wrong. One peer that can be reached is enough: the others have their own
 * codes. `objects` is what a dump of the kernel gave; it is asked only where the routes there lead to nobody.
 */
export async function underlayTrouble(
  kernel: Pick<Kernel, "routeMatch">,
  { objects, underlay: { link, up, address }, peers }: {
    objects: readonly KernelObject[];
    underlay: Pick<Underlay, "link" | "up" | "address">;
    peers: readonly PeerPlan[];
  },
): Promise<string | undefined> {
  if (!up) return `Link ${link}, which carries the overlay, is down`;
  if (objects.some((one) => one.kind === "link" && one.name === link && one.noCarrier)) {
    return `Link ${link}, which carries the overlay, has no carrier`;
  }
  const carried = peers.filter(isCarried).map(({ lease, remote = lease.publicIp }) => remote);
  if (carried.length === 0 || carried.some(wayOutTest(objects))) return undefined;
  const tunnels = new Set(
    objects.flatMap((one) => one.kind === "link" && isFlans(one.alias) ? one.name : []),
  );
  const asked = spread(carried, ASKED);
  for (const remote of asked) {
    const route = await routeByRule(kernel, { remote, source: address });
    if (route?.type === "unicast" && !bearsMark(route) && !tunnels.has(route.link)) return undefined;
  }
  const whom = carried.length === 1
    ? "the peer"
    : asked.length === carried.length
    ? "any peer"
    : `any of ${asked.length} peers that were asked for`;
  const other = carried.length === 1 ? "" : ", for one";
  return `No route leads to ${whom} over link ${link}: ${carried[0]!}${other}`;
}

/** At most so many of them, in even steps. */
function spread(remotes: readonly string[], most: number): readonly string[] {
  const step = Math.max(1, remotes.length / most);
  return Array.from({ length: Math.min(most, remotes.length) }, (_, i) => remotes[Math.floor(i * step)]!);
}

/** That of a table which a policy rule names; most such rules go by the source. */
async function routeByRule(
  kernel: Pick<Kernel, "routeMatch">,
  { remote, source }: { remote: string; source: string },
): Promise<RouteMatch["route"] | undefined> {
  const queries: readonly RouteQuery[] = familyOf(remote) === familyOf(source) ? [{ source }, {}] : [{}];
  for (const query of queries) {
    const match = await kernel.routeMatch(remote, query).catch((error) => {
      if (error instanceof KernelError) return undefined;
      throw error;
    });
    // What the main table says of it is known.
    if (match !== undefined && match.table !== MAIN_TABLE) return match.route;
  }
  return undefined;
}
