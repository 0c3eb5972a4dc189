/** When leases end, which etcd must be asked for one by one. */
import type { Clock } from "../../net/clock.ts";
import type { LeaseRecord, Snapshot } from "../store.ts";
import type { Contents } from "./contents.ts";
import { integer } from "./fields.ts";
import type { Gateway } from "./gateway.ts";

/** How many questions are under way at once. */
const AT_ONCE = 16;

/** The snapshot with the time at which each lease ends, as etcd tells it now. Throws what the gateway throws. */
export async function withExpiries(
  contents: Contents,
  { gateway, clock }: { gateway: Gateway; clock: Clock },
): Promise<Snapshot> {
  const snapshot = contents.snapshot();
  const ids = new Set(snapshot.records.map(({ key }) => contents.etcdLease(key)));
  ids.delete("0");
  const waiting = [...ids];
  const ends = new Map<string, number>();
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
