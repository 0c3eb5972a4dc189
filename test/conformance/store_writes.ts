/** The store suite's cases about writing: every write is a compare-and-swap. */
import assert from "node:assert/strict";
import type { LeaseRecord } from "../../lease/store.ts";
import { assertTime, type Cases, config, fails, lease, told } from "./store_case.ts";

export const storeWrites: Cases = {
  async "creating a key that exists is a conflict and changes nothing"({ open }) {
    await open().create(lease(1));
    const before = await open().read();
    await fails(open().create(lease(1, { node: "thief" })), "conflict");
    assert.deepEqual(await open().read(), before);
  },

  async "of many that create one key at once exactly one wins"({ open }) {
    const all = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) => open().create(lease(1, { node: `racer-${i}` }))),
    );
    const won = all.filter((result) => result.status === "fulfilled");
    assert.equal(won.length, 1);
    for (const result of all) {
      if (result.status === "rejected") assert.equal(result.reason.code, "conflict");
    }
    assert.equal((await open().read()).records[0]?.node, won[0]!.value.node);
  },

  async "many are created at once, and each is told: those whose key exists are left"({ open }) {
    const there = await open().create(lease(2, { node: "holder" }));
    const all = [lease(1), lease(2, { node: "thief" }), lease(3, { ttl: undefined }), lease(4), lease(5)];
    const told = new Map<string, LeaseRecord | undefined>();
    await open().createAll(all, ({ key }, record) => {
      assert.ok(!told.has(key), key);
      told.set(key, record);
    });
    assert.deepEqual([...told.keys()].sort(), all.map(({ key }) => key));
    assert.equal(told.get(there.key), undefined);
    const { records } = await open().read({ expiries: true });
    const plain = ({ key, value, node, revision }: LeaseRecord) => ({ key, value, node, revision });
    assert.deepEqual(
      records.map(plain),
      all.map(({ key }) => plain(told.get(key) ?? there)),
    );
    const [first, , third] = records;
    assert.deepEqual([third!.expires, told.get(third!.key)!.expires], [undefined, undefined]);
    assert.notEqual(first!.expires, undefined);
    // Each can be changed like any other.
    await open().renew(first!.key, { expected: first!.revision, ttl: 60 });
    await open().remove(third!.key, third!.revision);
    assert.equal((await open().read()).records.length, 4);
  },

  async "creating none, or none that is free, changes nothing"({ open }) {
    await open().create(lease(1));
    const before = await open().read();
    await open().createAll([], () => assert.fail("of none nothing can be told"));
    const told: unknown[] = [];
    await open().createAll([lease(1, { node: "thief" })], (_, record) => told.push(record));
    assert.deepEqual(told, [undefined]);
    assert.deepEqual((await open().read()).records, before.records);
  },

  async "an update needs the expected revision"({ open }) {
    const first = await open().create(lease(1));
    const second = await open().update(lease(1, { value: { PublicIP: "192.168.0.77" } }), first.revision);
    assert.ok(second.revision > first.revision);
    await fails(open().update(lease(1), first.revision), "conflict");
    assert.deepEqual(told((await open().read()).records), told([second]));
  },

  async "an update gives the lease its time anew, and another node where it says so"(network) {
    const { open, now } = network;
    const made = await open().create(lease(1, { ttl: 60 }));
    const updated = await open().update(lease(1, { ttl: 7200, node: "heir" }), made.revision);
    assertTime(updated.expires, now() + 7200_000, network);
    const [record] = (await open().read({ expiries: true })).records;
    assertTime(record!.expires, now() + 7200_000, network);
    assert.equal(record!.node, "heir");
  },

  async "an update makes a reservation of a lease, and a lease of a reservation"({ open }) {
    const made = await open().create(lease(1));
    const reserved = await open().update(lease(1, { ttl: undefined }), made.revision);
    assert.equal(reserved.expires, undefined);
    assert.equal((await open().read()).records[0]!.expires, undefined);
    const leased = await open().update(lease(1), reserved.revision);
    assert.notEqual(leased.expires, undefined);
    assert.notEqual((await open().read()).records[0]!.expires, undefined);
  },

  async "an update or removal of what is not there is a conflict"({ open }) {
    await fails(open().update(lease(1), 1), "conflict");
    await fails(open().remove("10.5.1.0-24", 1), "conflict");
    await fails(open().renew("10.5.1.0-24", { expected: 1, ttl: 60 }), "conflict");
  },

  async "a removal needs the expected revision"({ open }) {
    const first = await open().create(lease(1));
    const second = await open().update(lease(1), first.revision);
    await fails(open().remove(first.key, first.revision), "conflict");
    assert.equal((await open().read()).records.length, 1);
    await open().remove(first.key, second.revision);
    assert.deepEqual((await open().read()).records, []);
  },

  async "a lease that was removed and made anew is not the old one"({ open }) {
    const first = await open().create(lease(1));
    await open().remove(first.key, first.revision);
    const second = await open().create(lease(1, { node: "other" }));
    await fails(open().update(lease(1), first.revision), "conflict");
    await fails(open().renew(first.key, { expected: first.revision, ttl: 60 }), "conflict");
    await fails(open().remove(first.key, first.revision), "conflict");
    assert.ok(second.revision > first.revision);
  },

  async "renewing prolongs a lease and leaves what it says"(network) {
    const { open, now } = network;
    const made = await open().create(lease(1, { ttl: 60 }));
    const renewed = await open().renew(made.key, { expected: made.revision, ttl: 3600 });
    assert.ok(renewed.revision >= made.revision);
    assertTime(renewed.expires, now() + 3600_000, network);
    assert.deepEqual([renewed.value, renewed.node], [made.value, made.node]);
    const [record] = (await open().read({ expiries: true })).records;
    assert.deepEqual(told([record!]), told([renewed]));
    assertTime(record!.expires, now() + 3600_000, network);
  },

  async "a holder renews again and again, each time from the revision of the last"({ open }) {
    const [store, other] = [open(), open()];
    let { revision } = await store.create(lease(1));
    for (const by of [store, store, other, store, other]) {
      const renewed = await by.renew("10.5.1.0-24", { expected: revision, ttl: 3600 });
      assert.ok(renewed.revision >= revision);
      revision = renewed.revision;
      assert.deepEqual(told((await open().read()).records), told([renewed]));
    }
  },

  async "renewing what others have changed is a conflict and changes nothing"({ open }) {
    const made = await open().create(lease(1));
    const theirs = await open().update(lease(1, { node: "thief", ttl: 600 }), made.revision);
    await fails(open().renew(made.key, { expected: made.revision, ttl: 3600 }), "conflict");
    assert.deepEqual(told((await open().read()).records), told([theirs]));
  },

  async "a reservation stays one when it is renewed, and is not written"({ open }) {
    const made = await open().create(lease(1, { ttl: undefined }));
    assert.equal(made.expires, undefined);
    assert.deepEqual(await open().renew(made.key, { expected: made.revision, ttl: 60 }), made);
    assert.deepEqual((await open().read({ expiries: true })).records, [made]);
  },

  async "the config is written by compare-and-swap"({ open }) {
    const first = await open().writeConfig(config, 0);
    assert.deepEqual((await open().read()).config, first);
    assert.deepEqual(first.value, config);
    await fails(open().writeConfig(config, 0), "conflict");
    const second = await open().writeConfig({ Network: "10.6.0.0/16" }, first.revision);
    assert.ok(second.revision > first.revision);
    await fails(open().writeConfig(config, first.revision), "conflict");
    assert.deepEqual((await open().read()).config, second);
  },

  async "a config write leaves the leases alone and a lease write the config"({ open }) {
    const made = await open().create(lease(1));
    const stored = await open().writeConfig(config, 0);
    await open().create(lease(2));
    const { records, config: read } = await open().read();
    assert.deepEqual(told([records[0]!]), told([made]));
    assert.deepEqual(read, stored);
  },

  async "a lease whose key is a word of the store's own is a lease like any other"({ open }) {
    const keys = ["config", "constructor", "leases", "subnets", "__proto__"].sort();
    for (const [i, key] of keys.entries()) await open().create(lease(i, { key }));
    const read = await open().read();
    assert.equal(read.config, undefined);
    assert.deepEqual(read.records.map(({ key }) => key).sort(), keys);
    const stored = await open().writeConfig(config, 0);
    for (const { key, revision } of read.records) await open().remove(key, revision);
    const after = await open().read();
    assert.deepEqual([after.config, after.records], [stored, []]);
  },

  async "every write makes the revision larger"({ open }) {
    const seen = [(await open().read()).revision];
    const note = async () => seen.push((await open().read()).revision);
    await open().writeConfig(config, 0);
    await note();
    const made = await open().create(lease(1));
    await note();
    const renewed = await open().update(lease(1), made.revision);
    await note();
    await open().remove(made.key, renewed.revision);
    await note();
    assert.deepEqual(seen, [...new Set(seen)].sort((a, b) => a - b));
  },
};
