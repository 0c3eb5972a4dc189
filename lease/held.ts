/** Who holds which subnet, whether the record can be used or not. */
import { type Cidr, compareCidr, covers, overlaps, parseCidr } from "../net/ip.ts";
import { printable } from "../net/text.ts";
import { decodeRecord, isRefusal } from "./decode.ts";
import { isDualStackKey, subnetIn, subnetOfKey } from "./key.ts";
import type { Lease } from "./lease.ts";
import type { NetworkConfig } from "./network.ts";
import { isUnclaimed, reservedFor } from "./reservation.ts";
import { networksOf } from "./stack.ts";
import type { LeaseRecord, Snapshot } from "./store.ts";

export interface Held {
  readonly record: LeaseRecord;
  readonly subnet: string;
  readonly cidr: Cidr;
  /** The IPv6 half of a dual-stack key, where it can be read. */
  readonly subnet6: string | undefined;
  readonly cidr6: Cidr | undefined;
  /** Undefined where the record's value cannot be used; its subnet is held all the same. */
  readonly lease: Lease | undefined;
}

/** The records that are meant and whose key names a subnet, by address, so that every reader prefers the same one. */
export function heldSubnets(
  { records }: Pick<Snapshot, "records">,
  isMeant: (record: LeaseRecord) => boolean = () => true,
): Held[] {
  const held: Held[] = [];
  for (const record of records.filter(isMeant)) {
    const lease = decodeRecord(record);
    const subnet = subnetOfKey(record.key);
    if (subnet === undefined) continue;
    const subnet6 = isDualStackKey(record.key) ? subnetIn(record.key, 6) : undefined;
    held.push({
      record,
      subnet,
      cidr: parseCidr(subnet),
      subnet6,
      cidr6: subnet6 === undefined ? undefined : parseCidr(subnet6),
      lease: isRefusal(lease) ? undefined : lease,
    });
  }
  return held.sort((a, b) => compareCidr(a.cidr, b.cidr));
}

/** What holds any of `subnet`. A record that covers the whole network is nobody's subnet and holds nothing. */
export function holdersOf(
  subnet: string,
  { config, snapshot }: { config: NetworkConfig; snapshot: Pick<Snapshot, "records"> },
): Held[] {
  const wanted = parseCidr(subnet);
  const networks = networksOf(config);
  const holds = (cidr: Cidr | undefined) =>
    cidr !== undefined && overlaps(cidr, wanted) && !networks.some((network) => covers(cidr, network));
  return heldSubnets(snapshot).filter(({ cidr, cidr6 }) => holds(cidr) || holds(cidr6));
}

/** `the lease 10.5.1.0/24 of 192.0.2.1 (node 11111111111111aa)`, `the reservation 10.5.1.0/24 for nobody`. */
export function holderText({ subnet, record, lease }: Held, network: NetworkConfig): string {
  if (lease !== undefined && isUnclaimed(lease, network)) {
    return `the reservation ${subnet} ${printable(reservedFor(lease), 60)}`;
  }
  const what = record.expires === undefined ? "the reservation" : "the lease";
  const who = record.node === undefined ? "" : ` (node ${printable(record.node, 40)})`;
  return `${what} ${subnet} of ${lease?.publicIp ?? "a host without a usable address"}${who}`;
}
