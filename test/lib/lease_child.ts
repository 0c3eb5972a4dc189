/**
 * A process that writes to a file store, for tests that kill it or let several race.
 * Arguments: `acquire PATH I` leases a subnet for host I and prints it, `hold PATH` takes the writers' lock,
 * says so, and keeps it until its input ends.
 */
import { FileLock } from "../../lease/file/file_lock.ts";
import { FileStore } from "../../lease/file/file_store.ts";
import { acquire } from "../../lease/manager.ts";
import { FlanError } from "../../net/errors.ts";
import { silent } from "../../net/log.ts";
import { systemClock as clock } from "../../agent/clock.ts";

const [verb, path = "", host = "1"] = Deno.args;
try {
  if (verb === "hold") {
    await new FileLock(`${path}.lock`, clock).hold(async () => {
      console.log("held");
      await Deno.stdin.read(new Uint8Array(1));
    });
  } else {
    const store = new FileStore(path, { clock, log: silent });
    const publicIp = `192.168.7.${host}`;
    const claim = {
      node: `node-${host}`,
      publicIp,
      backendType: "host-gw",
      backendData: undefined,
      ttl: 3600,
    };
    console.log((await acquire(store, claim, { clock, log: silent })).subnet);
  }
} catch (error) {
  console.log(error instanceof FlanError ? `${error.code}: ${error.message}` : error);
  Deno.exit(1);
}
