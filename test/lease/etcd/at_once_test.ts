/** Work on many items, some at once. */
import assert from "node:assert/strict";
import { atOnce } from "../../../lease/etcd/at_once.ts";
import { EtcdStore } from "../../../lease/etcd/etcd_store.ts";
import { silent } from "../../../net/log.ts";
import { config, fails, lease } from "../../conformance/store_case.ts";
import { FakeClock } from "../../lib/fake_clock.ts";
import { FakeEtcd } from "../../lib/fake_etcd.ts";
import { FakeGateway } from "../../lib/fake_gateway.ts";

Deno.test("all items are worked on once, never more than sixteen at once", async () => {
  const done: number[] = [];
  let [now, most] = [0, 0];
  await atOnce(Array.from({ length: 100 }, (_, i) => i), async (i) => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setImmediate(resolve));
    now--;
    done.push(i);
  });
  assert.deepEqual(done.toSorted((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i));
  assert.equal(most, 16);
});

Deno.test("the first failure ends it: nothing more is begun, and nothing is under way when it is thrown", async () => {
  let [begun, ended, aborted] = [0, 0, 0];
  const work = async (i: number, signal: AbortSignal) => {
    begun++;
    if (i === 3) throw new Error("the first");
    await new Promise((resolve) => setImmediate(resolve));
    if (signal.aborted) aborted++;
    ended++;
    if (i === 4) throw new Error("a later one");
  };
  await assert.rejects(atOnce(Array.from({ length: 100 }, (_, i) => i), work), /the first/);
  assert.deepEqual([begun, ended, aborted], [16, 15, 15]);
});

Deno.test("what is told as written stands in an etcd that goes away meanwhile, and the caller hears of that", async () => {
  const clock = new FakeClock();
  const etcd = new FakeEtcd(clock);
  const gateway = new FakeGateway(etcd, clock);
  const store = new EtcdStore(gateway, { url: "etcd:", prefix: "/net", clock, log: silent });
  await store.writeConfig(config, 0);
  const told: string[] = [];
  const all = Array.from({ length: 200 }, (_, i) => lease(i));
  await fails(
    store.createAll(all, ({ key }, record) => {
      assert.notEqual(record, undefined);
      told.push(key);
      if (told.length === 40) gateway.reach = "away";
    }),
    "store",
  );
  gateway.reach = "well";
  const there = new Set((await store.read()).records.map(({ key }) => key));
  assert.ok(told.length >= 40 && told.length < 200);
  for (const key of told) assert.ok(there.has(key), key);
  store.close();
});
