import assert from "node:assert/strict";
import { EtcdStore } from "../../../lease/etcd/etcd_store.ts";
import { FlanError } from "../../../net/errors.ts";
import { silent } from "../../../net/log.ts";
import { fails, lease } from "../../conformance/store_case.ts";
import { FakeClock } from "../../lib/fake_clock.ts";
import { fakeNetwork } from "../../lib/fake_network.ts";

const DAY = 86_400;

Deno.test("of leases that are always written when they are renewed, etcd is not asked when they end", async () => {
  const network = fakeNetwork();
  const store = network.open();
  for (let i = 1; i <= 20; i++) await store.create(lease(i, { ttl: DAY }));
  const short = await store.create(lease(21, { ttl: 600 }));
  const gateway = network.etcd.gateway();
  const { records } = await network.openOn(gateway).read({ expiries: true });
  assert.equal(gateway.calls.get("lease/timetolive"), 1);
  assert.equal(records.find(({ key }) => key === short.key)?.expires, network.now() + 600_000);
  assert.equal(records.find(({ key }) => key === lease(7).key)?.expires, network.now() + DAY * 1000);
});

Deno.test("of a lease that was overwritten by a flannel host, etcd is asked when it ends", async () => {
  const { etcd, prefix, open, now } = fakeNetwork();
  const store = open();
  await store.create(lease(1, { ttl: DAY }));
  const gateway = etcd.gateway();
  const { ID } = await gateway.call("lease/grant", { TTL: "900" });
  const put = { key: btoa(`${prefix}/subnets/${lease(1).key}`), value: btoa("{}"), lease: ID! };
  await gateway.call("kv/txn", { success: [{ request_put: put }] });
  const { records: [record] } = await store.read({ expiries: true });
  assert.deepEqual([record!.node, record!.expires], [undefined, now() + 900_000]);
});

Deno.test("what a read says of the end of a lease is true after each of its renewals", async () => {
  const { clock, open, now } = fakeNetwork();
  const store = open();
  const { key, revision } = await store.create(lease(1, { ttl: DAY }));
  let expected = revision;
  for (let day = 0; day < 5; day++) {
    await clock.advance(DAY * 1000 * 2 / 3);
    ({ revision: expected } = await store.renew(key, { expected, ttl: DAY }));
    const { records: [record] } = await open().read({ expiries: true });
    assert.equal(record!.expires, now() + DAY * 1000);
  }
});

for (const days of [-2, 2]) {
  Deno.test(`a live lease whose holder's clock is ${days} days wrong ends when etcd says`, async () => {
    const { etcd, prefix, open, now } = fakeNetwork();
    const clock = new FakeClock({ now: now() + days * DAY * 1000 });
    const url = `etcd://fake${prefix}`;
    await new EtcdStore(etcd.gateway(), { url, prefix, clock, log: silent }).create(lease(1, { ttl: DAY }));
    const { records: [record] } = await open().read({ expiries: true });
    assert.equal(record!.expires, now() + DAY * 1000);
  });
}

Deno.test("the first question about an end that has no answer ends the others", async () => {
  const network = fakeNetwork();
  const store = network.open();
  for (let i = 1; i <= 100; i++) await store.create(lease(i, { ttl: 600 }));
  const gateway = network.etcd.gateway();
  const call = gateway.call.bind(gateway);
  let asked = 0;
  gateway.call = async (method, request, options) => {
    if (method !== "lease/timetolive") return await call(method, request, options);
    await network.clock.turn();
    if (++asked === 20) throw new FlanError("Cannot reach etcd: away", { op: "x", code: "store" });
    return await call(method, request, options);
  };
  await fails(network.openOn(gateway).read({ expiries: true }), "store");
  for (let i = 0; i < 100; i++) await network.clock.turn();
  assert.ok(asked <= 20 + 16, `${asked} questions`);
});
