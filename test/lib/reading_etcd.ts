/** A process that reads one etcd and prints the code of what it got, for tests that bound its memory: `URL`. */
import { systemClock } from "../../agent/clock.ts";
import { openStore } from "../../lease/open.ts";
import { FlanError } from "../../net/errors.ts";
import { silent } from "../../net/log.ts";

const store = await openStore(Deno.args[0]!, { clock: systemClock, log: silent });
const code = await store.read().then(
  ({ records }) => `${records.length} leases`,
  (error) => error instanceof FlanError ? error.code : String(error),
);
console.log(code);
store.close();
