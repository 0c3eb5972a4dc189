/** What a snapshot says about this host's own lease: its record, who wrote over it, and who has the subnet instead. */
import { decodeRecord, isRefusal } from "../../lease/decode.ts";
import { leaseKey, type Subnets } from "../../lease/key.ts";
import type { Lease } from "../../lease/lease.ts";
import type { Claim } from "../../lease/manager.ts";
import type { NetworkConfig } from "../../lease/network.ts";
import { encodeOtherPlanes } from "../../lease/other_planes.ts";
import { isUnclaimed } from "../../lease/reservation.ts";
import type { LeaseRecord, Snapshot } from "../../lease/store.ts";
import { holderInstead } from "../../lease/view.ts";
import { covers, parseCidr } from "../../net/ip.ts";

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
  const key = leaseKey(own);
  const ours = records.filter((record) => {
    if (record.node !== claim.node) return false;
    const lease = decodeRecord(record);
    return isRefusal(lease) || !isUnclaimed(lease, config);
  });
  return ours.find((record) => record.key === key) ?? ours[0] ??
    records.find((record) => record.key === key && overwriterOf(record, { claim, config }) !== undefined);
}

/**
 * Whether the store says that the subnet of the first family, or a part of it, is another host's; what is reserved in its
 * place is, too. Peers judge the halves apart, so the whole lease is not lost with the other one.
 */
export function isAnothers({ records }: Snapshot, { own, claim, config }: Whose): boolean {
  const key = leaseKey(own);
  const record = records.find((one) => one.key === key);
  const lease = record && decodeRecord(record);
  const isOwn = (one: Lease) => isOurs(one, claim);
  if (lease !== undefined && !isRefusal(lease) && !isOwn(lease)) return true;
  const { subnet } = own;
  return holderInstead({ records }, { subnets: { subnet }, isOwn, network: config }) !== undefined;
}

/** Whether that is so of the IPv6 subnet of a dual-stack lease whose first half is this host's. */
export function isIpv6Anothers({ records }: Snapshot, { own, claim, config }: Whose): boolean {
  const isOwn = (one: Lease) => isOurs(one, claim);
  return holderInstead({ records }, { subnets: own, isOwn, network: config }) !== undefined;
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
export function announcement(said: Said): string {
  const { publicIp, publicIp6, backendType, backendData, backendV6Data, otherPlanes } = said;
  const others = encodeOtherPlanes(otherPlanes);
  return JSON.stringify([publicIp, publicIp6, backendType, backendData, backendV6Data, others]);
}

type Said = Pick<
  Claim,
  "publicIp" | "publicIp6" | "backendType" | "backendData" | "backendV6Data" | "otherPlanes"
>;

/** Whether peers can use the lease in the network's first family. */
export function isUsableIn({ network }: NetworkConfig, { subnet }: Subnets): boolean {
  return covers(network, parseCidr(subnet));
}

/** Whether peers can use the lease in all the families that the network has. */
export function isWholeIn(config: NetworkConfig, { subnet, subnet6 }: Subnets): boolean {
  if (!isUsableIn(config, { subnet })) return false;
  const { ipv6 } = config;
  return ipv6 === undefined || subnet6 !== undefined && covers(ipv6.network, parseCidr(subnet6));
}
