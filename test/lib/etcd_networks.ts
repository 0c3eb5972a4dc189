/** Networks in a real etcd, for the store suite. */
import { systemClock } from "../../agent/clock.ts";
import { EtcdClient } from "../../lease/etcd/client.ts";
import { EtcdStore } from "../../lease/etcd/etcd_store.ts";
import type { Credentials } from "../../lease/remote/credentials.ts";
import { silent } from "../../net/log.ts";
import type { Opened } from "../conformance/store_case.ts";
import type { EtcdServer } from "./etcd_server.ts";

/** etcd counts whole seconds. */
const SECOND = 1000;

/** Opens networks in a real etcd, each below a prefix of its own. */
export function realNetworks(server: EtcdServer, credentials: Credentials): () => Promise<Opened> {
  const origins = [`${server.ca === undefined ? "http" : "https"}://${server.endpoint}`];
  let count = 0;
  return () => {
    const prefix = `${server.prefix}/network-${++count}`;
    // One client for all handles: to tell who somebody is costs etcd more than the whole suite.
    const client = new EtcdClient({ origins, credentials, clock: systemClock, prefix });
    return Promise.resolve({
      open: () =>
        new EtcdStore(client, { url: `${server.url}/${count}`, prefix, clock: systemClock, log: silent }),
      now: () => systemClock.now(),
      // Two clocks' whole seconds, and a machine that is busy with other tests.
      tolerance: 10 * SECOND,
      async expire(key) {
        // What etcd does with a lease that is over, without the wait.
        const answer = await client.call("kv/range", { key: btoa(`${prefix}/subnets/${key}`) });
        const [{ lease }] = answer.kvs as unknown as [{ lease: string }];
        await client.call("lease/revoke", { ID: lease });
      },
      async interrupt() {
        await server.kill();
        await server.restart();
      },
      close() {
        client.close();
        return Promise.resolve();
      },
    });
  };
}
