/**
 * What every store must do. A store's test file calls {@link storeSuite} with a way to open the same network
 * several times, like several hosts; one that keeps a whole document by the hosts' clocks calls `documentSuite`.
 */
import { type Opened, register } from "./store_case.ts";
import { storeReads } from "./store_reads.ts";
import { storeWatches } from "./store_watches.ts";
import { storeWrites } from "./store_writes.ts";

export { fails, type Opened } from "./store_case.ts";

export interface StoreSuite {
  readonly name: string;
  readonly open: () => Promise<Opened>;
}

/** Registers the suite's tests with `Deno.test`. */
export function storeSuite(suite: StoreSuite): void {
  for (const cases of [storeReads, storeWrites, storeWatches]) register(cases, suite);
}
