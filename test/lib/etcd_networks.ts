/** Networks in an etcd, for the store suite: in memory on a fake clock, and real ones. */
import { systemClock } from "../../agent/clock.ts";
import { EtcdClient } from "../../lease/etcd/client.ts";
import { EtcdStore } from "../../lease/etcd/etcd_store.ts";
import type { Gateway } from "../../lease/etcd/gateway.ts";
import type { Credentials } from "../../lease/remote/credentials.ts";
import { silent } from "../../net/log.ts";
import type { Opened } from "../conformance/store_case.ts";
import type { EtcdServer } from "./etcd_server.ts";
import { FakeClock } from "./fake_clock.ts";
import { FakeEtcd } from "./fake_etcd.ts";

const prefix = "/coreos.com/network";
/** etcd counts whole seconds. */
const SECOND = 1000;

/** A network in a fake etcd, with everything that a test may want to do to it. */
export function fakeNetwork(seed = 1) {
  const clock = new FakeClock({ seed });
  const etcd = new FakeEtcd(clock);
  const openOn = (gateway: Gateway) =>
    new EtcdStore(gateway, { url: `etcd://fake${prefix}`, prefix, clock, log: silent });
  const opened: Opened = {
    open: () => openOn(etcd.gateway()),
    now: () => clock.now(),
    tolerance: SECOND,
    async expire(key) {
      const { lease } = etcd.keys.get(`${prefix}/subnets/${key}`)!;
      await clock.advance(etcd.leases.get(lease)!.ttl * 1000 + SECOND);
    },
    async interrupt() {
      etcd.restart();
      await clock.advance(SECOND);
    },
    close: () => Promise.resolve(),
  };
  return { ...opened, clock, etcd, prefix, openOn };
}

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
