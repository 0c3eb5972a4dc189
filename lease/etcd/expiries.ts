/** When leases end. Of most flan's own word tells; for the others etcd must be asked, one by one. */
import type { Clock } from "../../net/clock.ts";
import type { LeaseRecord, Snapshot } from "../store.ts";
import type { Contents } from "./contents.ts";
import { integer } from "./fields.ts";
import { COURTESY } from "./lease_writes.ts";
import type { Gateway } from "./gateway.ts";

/** How many questions are under way at once. */
const AT_ONCE = 16;

/**
 * From how many seconds of life on the word on a lease is as good as etcd's: its holder renews it when a third of
 * its life is left, and a renewal that comes more than an hour after the last is written. etcd answers some
 * hundreds of such questions a second, and a network may have 10,000 leases.
 */
const TOLD = COURTESY / 1000 * 3 / 2;

/** The snapshot with the time at which each lease ends. Throws what the gateway throws. */
export async function withExpiries(
  contents: Contents,
  { gateway, clock }: { gateway: Gateway; clock: Clock },
): Promise<Snapshot> {
  const snapshot = contents.snapshot();
  const ends = new Map<string, number>();
  const ids = new Set<string>();
  for (const { key } of snapshot.records) {
    const id = contents.etcdLease(key);
    const { ttl = 0, at } = contents.wordOn(key) ?? {};
    if (ttl >= TOLD && at !== undefined) ends.set(id, (at + ttl) * 1000);
    else if (id !== "0") ids.add(id);
  }
  const waiting = [...ids];
  const ask = async () => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      const { TTL } = await gateway.call("lease/timetolive", { ID: id });
      // One that is over, −1, takes its key away at any moment.
      ends.set(id, clock.now() + Math.max(0, integer(TTL, "the TTL")) * 1000);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, ask));
  const records = snapshot.records.map((record): LeaseRecord => {
    const expires = ends.get(contents.etcdLease(record.key));
    return expires === undefined ? record : { ...record, expires };
  });
  return { ...snapshot, records };
}
