/** Subnets that are given back, by their holder or by an administrator. A reservation outlives its claim. */
import type { Clock } from "../net/clock.ts";
import { untilWon } from "./conflict.ts";
import { decodeRecord, encodeLease, isRefusal } from "./decode.ts";
import { subnetOfKey, subnetsIn } from "./key.ts";
import type { Lease } from "./lease.ts";
import { waiting } from "./reservation.ts";
import type { LeaseRecord, NewRecord, Store } from "./store.ts";

export interface Released {
  readonly subnet: string;
  /** The reservation that waits there now, or undefined where the subnet is free. */
  readonly reservation: Lease | undefined;
}

/**
 * Gives back one subnet, whoever holds it, or what a node holds, and says what became of each. A claimed reservation
 * waits again for whom it was made, and one that nobody has claimed is left: they are the administrator's. A subnet
 * that another host takes meanwhile is left, too.
 */
export async function release(
  store: Store,
  which: { readonly subnet: string } | { readonly node: string },
  { clock }: { clock: Clock },
): Promise<Released[]> {
  const isMeant = (record: LeaseRecord) =>
    "subnet" in which
      ? subnetsIn(record.key).includes(which.subnet)
      : record.node === which.node && !isOdd(record);
  const holders = new Map<string, string | undefined>();
  const released: Released[] = [];
  return await untilWon(clock, async () => {
    for (const record of (await store.read()).records) {
      const { key, node } = record;
      if (!isMeant(record) || holders.has(key) && holders.get(key) !== node) continue;
      const open = reservationOf(record);
      if (open === "left") continue;
      holders.set(key, node);
      const subnet = subnetOfKey(key) ?? key;
      if (open === undefined) {
        await store.remove(key, record.revision);
        released.push({ subnet, reservation: undefined });
      } else {
        const lease = decodeRecord(await store.update(open, record.revision));
        released.push({ subnet, reservation: isRefusal(lease) ? undefined : lease });
      }
    }
    return released;
  });
}

/** A reservation that cannot be read is removed by its name only. */
function isOdd(record: LeaseRecord): boolean {
  return record.expires === undefined && isRefusal(decodeRecord(record));
}

/** What waits when the record's holder is gone, undefined for nothing, `left` where nobody holds it. */
function reservationOf(record: LeaseRecord): NewRecord | "left" | undefined {
  const lease = decodeRecord(record);
  if (record.expires !== undefined || isRefusal(lease)) return undefined;
  const open = waiting(record.key, lease);
  const isOpen = JSON.stringify(open.value) === JSON.stringify(encodeLease(lease)) &&
    open.node === record.node && record.reservedIp === undefined;
  return isOpen ? "left" : open;
}
