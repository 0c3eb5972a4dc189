import assert from "node:assert/strict";
import { lease } from "../../conformance/store_case.ts";
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
