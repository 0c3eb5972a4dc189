/**
 * What every store must do. A store's test file calls {@link storeSuite} with a way to open the same network
 * several times, like several hosts; one that keeps a whole document by the hosts' clocks calls `documentSuite`.
 */
import { type Opened, register } from "./store_case.ts";
import { storeReads } from "./store_reads.ts";
import { storeStacks } from "./store_stacks.ts";
import { storeWatches } from "./store_watches.ts";
import { storeWrites } from "./store_writes.ts";

export { fails, type Opened } from "./store_case.ts";

export interface StoreSuite {
  readonly name: string;
  readonly open: () => Promise<Opened>;
}

const cases = { ...storeReads, ...storeWrites, ...storeWatches, ...storeStacks };

/** Registers the suite's tests with `Deno.test`. */
export function storeSuite(suite: StoreSuite): void {
  register(cases, suite);
}

/** Runs the suite as steps of one test, for a store that is started once for all of them. */
export async function storeSteps(test: Deno.TestContext, open: () => Promise<Opened>): Promise<void> {
  for (const [name, run] of Object.entries(cases)) {
    await test.step({
      name,
      async fn() {
        const network = await open();
        try {
          await run(network);
        } finally {
          await network.close();
        }
      },
      // The store's process goes on meanwhile; what it leaves behind is looked for at the end of the whole test.
      sanitizeOps: false,
      sanitizeResources: false,
    });
  }
}
