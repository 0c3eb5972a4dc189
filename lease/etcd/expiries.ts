/** When leases end. Of most flan's own word tells; for the others etcd must be asked, one by one. */
import type { Clock } from "../../net/clock.ts";
import type { LeaseRecord, Snapshot } from "../store.ts";
import { atOnce } from "./at_once.ts";
import type { Contents } from "./contents.ts";
import { integer } from "./fields.ts";
import { COURTESY } from "./lease_writes.ts";
import type { Gateway } from "./gateway.ts";
import type { Word } from "./words.ts";

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
    const told = endIn(contents.wordOn(key), clock.now());
    if (told !== undefined) ends.set(id, told);
    else if (id !== "0") ids.add(id);
  }
  await atOnce([...ids], async (id, signal) => {
    const { TTL } = await gateway.call("lease/timetolive", { ID: id }, { signal });
    // One that is over, −1, takes its key away at any moment.
    ends.set(id, clock.now() + Math.max(0, integer(TTL, "the TTL")) * 1000);
  });
  const records = snapshot.records.map((record): LeaseRecord => {
    const expires = ends.get(contents.etcdLease(record.key));
    return expires === undefined ? record : { ...record, expires };
  });
  return { ...snapshot, records };
}

/**
 * When a lease ends by its word, in milliseconds since 1970; undefined where that does not tell. The word has the time
 * of its writer: a lease that is there has not ended, and none lasts longer than its time to live, so where it says
 * so one of the clocks is wrong.
 */
function endIn(word: Word | undefined, now: number): number | undefined {
  const { ttl = 0, at } = word ?? {};
  if (ttl < TOLD || at === undefined) return undefined;
  const end = (at + ttl) * 1000;
  return end <= now || end > now + ttl * 1000 ? undefined : end;
}
