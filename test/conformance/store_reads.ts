/** The store suite's cases about what is read, and what is remembered of leases that ended. */
import assert from "node:assert/strict";
import type { Json } from "../../net/json.ts";
import type { Snapshot } from "../../lease/store.ts";
import { assertTime, type Cases, config, fails, lease, told } from "./store_case.ts";

export const storeReads: Cases = {
  async "a store that holds nothing has neither a config nor leases"({ open }) {
    const { config, records, past } = await open().read();
    assert.deepEqual({ config, records, past }, { config: undefined, records: [], past: [] });
  },

  async "a lease is read back as it was written, with expiry and revision"(network) {
    const { open, now } = network;
    const made = await open().create(lease(1));
    assertTime(made.expires, now() + 3600_000, network);
    assert.ok(made.revision > 0);
    const { revision, records } = await open().read();
    assert.deepEqual(told(records), told([made]));
    assert.ok(revision >= made.revision);
    assert.deepEqual(made.value, lease(1).value);
    assert.equal(made.node, "node-1");
  },

  async "the address that a reservation was made for is kept beside the value, until a write leaves it out"(
    { open },
  ) {
    const made = await open().create(lease(1, { ttl: undefined, reservedIp: "192.168.0.1" }));
    const [read] = (await open().read()).records;
    assert.equal(read!.reservedIp, "192.168.0.1");
    assert.deepEqual(read!.value, lease(1).value);
    const same = await open().update(lease(1, { ttl: undefined, reservedIp: "192.168.0.1" }), made.revision);
    assert.equal(
      (await open().renew(same.key, { expected: same.revision, ttl: 60 })).reservedIp,
      "192.168.0.1",
    );
    const { revision } = (await open().read()).records[0]!;
    await open().update(lease(1, { ttl: undefined }), revision);
    assert.equal((await open().read()).records[0]!.reservedIp, undefined);
  },

  async "by what else a host can be reached is kept beside the value, until a write leaves it out"({ open }) {
    const otherPlanes = [{ type: "vxlan", data: { VNI: 1 }, sends: true }];
    const made = await open().create(lease(1, { otherPlanes }));
    const renewed = await open().renew(made.key, { expected: made.revision, ttl: 60 });
    const [read] = (await open().read()).records;
    for (const one of [made, renewed, read!]) assert.deepEqual(one.otherPlanes, otherPlanes);
    const said = await open().update(
      lease(1, { otherPlanes: [{ ...otherPlanes[0]!, sends: false }] }),
      read!.revision,
    );
    assert.deepEqual((await open().read()).records[0]!.otherPlanes, [{ ...otherPlanes[0]!, sends: false }]);
    await open().update(lease(1), said.revision);
    assert.equal((await open().read()).records[0]!.otherPlanes, undefined);
  },

  async "a read with expiries says when each lease ends"(network) {
    const { open, now } = network;
    await open().create(lease(1, { ttl: 600 }));
    await open().create(lease(2, { ttl: undefined }));
    await open().create(lease(3));
    const { records: [first, second, third] } = await open().read({ expiries: true });
    assertTime(first!.expires, now() + 600_000, network);
    assert.equal(second!.expires, undefined);
    assertTime(third!.expires, now() + 3600_000, network);
  },

  async "a reader sees what was written before, whoever wrote it"({ open }) {
    const [writer, reader] = [open(), open()];
    for (let i = 1; i <= 20; i++) {
      const { revision } = await writer.create(lease(i));
      const seen = await reader.read();
      assert.equal(seen.records.length, i);
      assert.ok(seen.revision >= revision);
    }
  },

  async "values that nobody understands are kept as they are"({ open }) {
    const odd: Json[] = [
      JSON.parse('{"__proto__":{"PublicIP":"1.2.3.4"},"PublicIP":7}'),
      [],
      null,
      "x".repeat(100_000),
      "\u001b[2J",
    ];
    for (const [i, value] of odd.entries()) await open().create(lease(i, { value }));
    await open().create(lease(99));
    const { records } = await open().read();
    for (const [i, value] of odd.entries()) {
      const found = records.find(({ key }) => key === `10.5.${i}.0-24`);
      assert.equal(JSON.stringify(found?.value), JSON.stringify(value));
    }
  },

  async "records come sorted by key"({ open }) {
    for (const i of [9, 10, 1]) await open().create(lease(i));
    assert.deepEqual((await open().read()).records.map(({ key }) => key), [
      "10.5.1.0-24",
      "10.5.10.0-24",
      "10.5.9.0-24",
    ]);
  },

  async "a lease is gone when its time is over, and remembered as expired"(network) {
    const { open, expire } = network;
    const made = await open().create(lease(1, { ttl: 60 }));
    await expire(made.key);
    const after = await open().read();
    assert.deepEqual(after.records, []);
    assert.deepEqual(ends(after), ["10.5.1.0-24 expired"]);
    assertTime(after.past[0]!.ended, made.expires!, network);
    assert.equal(after.past[0]!.node, "node-1");
    assert.ok(after.revision >= made.revision);
    await fails(open().update(lease(1), made.revision), "conflict");
    await fails(open().renew(made.key, { expected: made.revision, ttl: 60 }), "conflict");
    await fails(open().remove(made.key, made.revision), "conflict");
  },

  async "an expired key can be leased again"({ open, expire }) {
    const { key } = await open().create(lease(1, { ttl: 60 }));
    await expire(key);
    const again = await open().create(lease(1, { node: "next" }));
    const { records, past } = await open().read();
    assert.deepEqual(told(records), told([again]));
    assert.deepEqual(past, []);
  },

  async "released leases are remembered once, until they are leased again"(network) {
    const { open, now } = network;
    const first = await open().create(lease(1));
    await open().remove(first.key, first.revision);
    const after = await open().read();
    assert.deepEqual(ends(after), ["10.5.1.0-24 released"]);
    assertTime(after.past[0]!.ended, now(), network);
    const second = await open().create(lease(1));
    assert.deepEqual((await open().read()).past, []);
    await open().remove(second.key, second.revision);
    assert.deepEqual(ends(await open().read()), ["10.5.1.0-24 released"]);
  },

  async "what ended before a time is forgotten, and nothing else"({ open, now, tolerance, expire }) {
    const gone = await open().create(lease(1));
    const expired = await open().create(lease(2, { ttl: 60 }));
    const kept = await open().create(lease(3, { ttl: undefined }));
    await open().writeConfig(config, 0);
    await open().remove(gone.key, gone.revision);
    await expire(expired.key);
    assert.equal(await open().forget(now() - 3600_000 - tolerance), 0);
    assert.deepEqual(ends(await open().read()), ["10.5.1.0-24 released", "10.5.2.0-24 expired"]);
    const forgotten = await open().forget(now() + 3600_000 + tolerance);
    const after = await open().read();
    // A store that judges by the clock of whoever looks keeps what has only expired.
    const stay = after.past.filter(({ stays }) => stays).map(({ key }) => key);
    assert.deepEqual(after.past.map(({ key }) => key), stay);
    assert.deepEqual([forgotten, ...stay], stay.length === 0 ? [2] : [1, expired.key]);
    assert.deepEqual(told(after.records), told([kept]));
    assert.deepEqual(after.config?.value, config);
    assert.equal(await open().forget(now() + 3600_000 + tolerance), 0);
  },

  async "a sound store has nothing wrong with it"({ open }) {
    const store = open();
    await store.writeConfig(config, 0);
    await store.create(lease(1));
    assert.deepEqual(await store.inspect(), []);
  },
};

function ends({ past }: Snapshot): string[] {
  return past.map(({ key, how }) => `${key} ${how}`);
}
