/** Whether the underlay carries anything: its link is up with carrier, and there is a way from this host to somebody. Pure. */
import type { PeerPlan, Underlay } from "../backends/backend.ts";
import type { KernelObject } from "../kernel/state.ts";
import { wayOutTest } from "../kernel/ways_out.ts";
import { isCarried } from "./probing/targets.ts";

/**
 * A sentence, or undefined where nothing is wrong. One peer that can be reached is enough: the others have their own
 * codes. `objects` is what a dump of the kernel gave.
 */
export function underlayTrouble(
  objects: readonly KernelObject[],
  { underlay: { link, up }, peers }: { underlay: Pick<Underlay, "link" | "up">; peers: readonly PeerPlan[] },
): string | undefined {
  if (!up) return `Link ${link}, which carries the overlay, is down`;
  if (objects.some((one) => one.kind === "link" && one.name === link && one.noCarrier)) {
    return `Link ${link}, which carries the overlay, has no carrier`;
  }
  const carried = peers.filter(isCarried).map(({ lease, remote = lease.publicIp }) => remote);
  if (carried.length === 0 || carried.some(wayOutTest(objects))) return undefined;
  const [whom, other] = carried.length === 1 ? ["the peer", ""] : ["any peer", ", for one"];
  return `No route leads to ${whom} over link ${link}: ${carried[0]!}${other}`;
}
