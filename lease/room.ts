/** Whether a network's IPv6 half has a subnet for each host that is in the network. Pure. */
import { FlanError } from "../net/errors.ts";
import type { NetworkConfig } from "./network.ts";
import type { Snapshot } from "./store.ts";
import { subnetCount } from "./subnet_range.ts";
import { makeView } from "./view.ts";

/**
 * Throws `invalid` where a change leaves fewer IPv6 subnets than there are leases: the last hosts would get none, and
 * stay without IPv6. A change that makes nothing worse is let pass.
 */
export function requireRoom(
  { before, after }: { before: NetworkConfig; after: NetworkConfig },
  snapshot: Snapshot,
): void {
  if (after.ipv6 === undefined) return;
  const [count, former] = [subnetCount(after.ipv6), before.ipv6 ? subnetCount(before.ipv6) : Infinity];
  const leases = makeView(snapshot, { node: "", network: before }).peers.length;
  if (count >= leases || count >= former) return;
  throw new FlanError(
    `Cannot use the network config: it has ${count} IPv6 subnets for ${leases} leases, and some hosts would get none`,
    {
      op: "config.set",
      code: "invalid",
      hint: "a larger IPv6Network or IPv6SubnetLen, or --force if hosts may go without IPv6",
    },
  );
}
