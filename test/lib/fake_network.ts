/** A network in an etcd in memory, on a fake clock. */
import { EtcdStore } from "../../lease/etcd/etcd_store.ts";
import type { Gateway } from "../../lease/etcd/gateway.ts";
import { silent } from "../../net/log.ts";
import type { Opened } from "../conformance/store_case.ts";
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
