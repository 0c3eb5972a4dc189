/** What a snapshot says about this host's own lease: its record, who wrote over it, and who has the subnet instead. */
import { decodeRecord, isRefusal } from "../../lease/decode.ts";
import { subnetKey } from "../../lease/key.ts";
import type { Lease } from "../../lease/lease.ts";
import type { Claim } from "../../lease/manager.ts";
import type { NetworkConfig } from "../../lease/network.ts";
import { isUnclaimed } from "../../lease/reservation.ts";
import type { LeaseRecord, Snapshot } from "../../lease/store.ts";
import { holderInstead } from "../../lease/view.ts";

/** Whose record is looked for. */
export interface Whose {
  readonly own: Lease;
  readonly claim: Claim;
  readonly config: NetworkConfig;
}

/**
 * Our lease, preferably under the key that it has, or else what a host without flan's identity wrote there. What is
 * only reserved for us is not ours before we claim it.
 */
export function storedIn({ records }: Snapshot, { own, claim, config }: Whose): LeaseRecord | undefined {
  const key = subnetKey(own.subnet);
  const ours = records.filter((record) => {
    if (record.node !== claim.node) return false;
    const lease = decodeRecord(record);
    return isRefusal(lease) || !isUnclaimed(lease, config);
  });
  return ours.find((record) => record.key === key) ?? ours[0] ??
    records.find((record) => record.key === key && overwriterOf(record, { claim, config }) !== undefined);
}

/** Whether the store says that the subnet, or a part of it, is another host's; what is reserved in its place is, too. */
export function isAnothers({ records }: Snapshot, { own, claim, config }: Whose): boolean {
  const key = subnetKey(own.subnet);
  const record = records.find((one) => one.key === key);
  const lease = record && decodeRecord(record);
  const isOwn = (one: Lease) => isOurs(one, claim);
  if (lease !== undefined && !isRefusal(lease) && !isOwn(lease)) return true;
  return holderInstead({ records }, { subnet: own.subnet, isOwn, network: config }) !== undefined;
}

/** What a record says that a flannel host with our address wrote, or undefined for any other record. */
export function overwriterOf(
  record: LeaseRecord | undefined,
  { claim, config }: Omit<Whose, "own">,
): Lease | undefined {
  if (record === undefined || record.node !== undefined) return undefined;
  const lease = decodeRecord(record);
  if (isRefusal(lease) || lease.publicIp !== claim.publicIp) return undefined;
  return isUnclaimed(lease, config) ? undefined : lease;
}

/** By our identity, or written by a flannel host with our address: both are told of in their own name. */
function isOurs({ node, publicIp }: Lease, claim: Claim): boolean {
  return node === undefined ? publicIp === claim.publicIp : node === claim.node;
}

/** All that peers learn from a lease. */
export function announcement(said: Pick<Lease, "publicIp" | "backendType" | "backendData">): string {
  return JSON.stringify([said.publicIp, said.backendType, said.backendData]);
}
