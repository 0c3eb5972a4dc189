/** Flannel hosts beside flan's, and the networks that they cannot be in. */
import { FlanError } from "../net/errors.ts";
import { decodeRecord, isRefusal } from "./decode.ts";
import type { Lease } from "./lease.ts";
import type { NetworkConfig } from "./network.ts";
import type { Snapshot } from "./store.ts";

/** The leases of IPv4, alone or with IPv6, that flannel hosts hold. Reservations are not theirs. */
export function flannelLeases({ records }: Pick<Snapshot, "records">): readonly Lease[] {
  return records.filter(({ node, expires }) => node === undefined && expires !== undefined)
    .map(decodeRecord).filter((one): one is Lease => !isRefusal(one) && !one.subnet.includes(":"));
}

/**
 * Throws `failed` for another backend where a flannel host is in the network: it reads the config once, as it starts, and
 * knows no lease of two backends, so nobody can reach it by the new one, nor it anybody.
 */
export function requireFlansAlone(
  { before, after }: { before: NetworkConfig; after: NetworkConfig },
  snapshot: Pick<Snapshot, "records">,
): void {
  if (before.backendType === after.backendType) return;
  const [lease] = flannelLeases(snapshot);
  if (lease === undefined) return;
  throw new FlanError(
    `Cannot move the network from ${before.backendType} to ${after.backendType}: a flannel host holds ` +
      `${lease.subnet} with ${lease.publicIp}, and flanneld follows no change of the backend`,
    {
      op: "config.set",
      code: "failed",
      hint: "let flan join there in flanneld's place, or " +
        `flan lease revoke ${lease.subnet} --yes where that host is gone`,
    },
  );
}

/**
 * Throws `failed` for a network of IPv6 alone in a store that a flannel host uses: flanneld reads all keys below its
 * prefix, and drops all its peers at one without an IPv4 subnet (FLANNEL.md 3.1, 3.5).
 */
export function requireNoFlannel(
  { network, ipv6 }: Pick<NetworkConfig, "network" | "ipv6">,
  snapshot: Pick<Snapshot, "records">,
): void {
  if (network.family === 4 || ipv6 !== undefined) return;
  const [lease] = flannelLeases(snapshot);
  if (lease === undefined) return;
  throw new FlanError(
    `Cannot use a network of IPv6 alone here: a flannel host holds ${lease.subnet} with ${lease.publicIp}, ` +
      "and flanneld drops all its peers where a lease has no IPv4 subnet",
    {
      op: "lease.acquire",
      code: "failed",
      hint: "give the network IPv4 as well, use another store, or " +
        `flan lease revoke ${lease.subnet} --yes where that host is gone`,
    },
  );
}
