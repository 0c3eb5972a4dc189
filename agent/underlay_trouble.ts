/** Whether the underlay carries anything: its link is up, and there is a way from it to somebody. */
import type { PeerPlan, Underlay } from "../backends/backend.ts";
import { linkTest } from "../backends/direct.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { KernelError } from "../net/errors.ts";
import { isCarried } from "./probing/targets.ts";

/** So many peers without a route speak for all that are not on the link. */
const ASKED = 8;

/** A sentence, or undefined where nothing is wrong. One peer that can be reached is enough: the others have their own codes. */
export async function underlayTrouble(
  kernel: Pick<Kernel, "routeGet">,
  { underlay, peers }: { underlay: Underlay; peers: readonly PeerPlan[] },
): Promise<string | undefined> {
  const { link, up } = underlay;
  if (!up) return `Link ${link}, which carries the overlay, is down`;
  const carried = peers.filter(isCarried).map(({ lease }) => lease.publicIp);
  if (carried.length === 0) return undefined;
  const isOnLink = linkTest(underlay);
  const near = carried.find(isOnLink);
  for (const address of near === undefined ? carried.slice(0, ASKED) : [near]) {
    if (await hasRoute(kernel, address)) return undefined;
  }
  const [whom, other] = carried.length === 1 ? ["the peer", ""] : ["any peer", ", for one"];
  return `No route leads to ${whom} over link ${link}: ${near ?? carried[0]!}${other}`;
}

async function hasRoute(kernel: Pick<Kernel, "routeGet">, address: string): Promise<boolean> {
  try {
    await kernel.routeGet(address);
    return true;
  } catch (error) {
    if (error instanceof KernelError) return false;
    throw error;
  }
}
