/** The store suite's cases about watching: whole snapshots, forward only, through trouble. */
import assert from "node:assert/strict";
import type { Snapshot } from "../../lease/store.ts";
import { type Cases, config, lease, told, until, watching } from "./store_case.ts";

export const storeWatches: Cases = {
  async "a watch from an older revision yields at once"({ open }) {
    await open().writeConfig(config, 0);
    await open().create(lease(1));
    await watching(open(), 0, async (next) => {
      const snapshot = await next();
      assert.deepEqual(snapshot, await open().read());
    });
  },

  async "a watch sees what is created, updated, removed and configured by others"({ open }) {
    const { revision } = await open().read();
    await watching(open(), revision, async (next) => {
      const made = await open().create(lease(1));
      assert.deepEqual(told((await next()).records), told([made]));
      const renewed = await open().update(lease(1), made.revision);
      assert.deepEqual(told((await next()).records), told([renewed]));
      const stored = await open().writeConfig(config, 0);
      assert.deepEqual((await next()).config, stored);
      await open().remove(made.key, renewed.revision);
      const last = await next();
      assert.deepEqual(last.records, []);
      assert.deepEqual(last, await open().read());
    });
  },

  async "a store watches what it has read, and sees its own writes too"({ open }) {
    const store = open();
    await store.create(lease(1));
    const { revision } = await store.read();
    await watching(store, revision, async (next) => {
      await store.create(lease(2));
      assert.deepEqual((await next()).records.map(({ node }) => node), ["node-1", "node-2"]);
      await store.read();
      await store.create(lease(3));
      assert.deepEqual((await next()).records.map(({ node }) => node), ["node-1", "node-2", "node-3"]);
    });
  },

  async "a watch sees a lease expire"({ open, expire }) {
    await open().create(lease(1, { ttl: 60 }));
    await open().create(lease(2, { ttl: 7200 }));
    const { revision } = await open().read();
    await watching(open(), revision, async (next) => {
      const pending = until(next, ({ records }) => records.length < 2);
      await expire("10.5.1.0-24");
      assert.deepEqual((await pending).records.map(({ key }) => key), ["10.5.2.0-24"]);
    });
  },

  async "a lease that expired before the watch began is seen as gone"({ open, expire }) {
    await open().create(lease(1, { ttl: 60 }));
    const { revision } = await open().read();
    await expire("10.5.1.0-24");
    await watching(open(), revision, async (next) => {
      assert.deepEqual((await next()).records, []);
    });
  },

  async "a watch goes forward only, and ends at the latest state"({ open }) {
    const store = open();
    await watching(open(), 0, async (next) => {
      for (let i = 1; i <= 20; i++) await store.create(lease(i));
      let last = 0;
      for (;;) {
        const { revision, records } = await next();
        assert.ok(revision > last);
        last = revision;
        if (records.length === 20) break;
      }
    });
  },

  async "two watches of one store each see everything"({ open }) {
    const store = open();
    const { revision } = await store.read();
    await watching(store, revision, async (first) => {
      await watching(store, revision, async (second) => {
        for (let i = 1; i <= 3; i++) {
          await open().create(lease(i));
          for (const next of [first, second]) assert.equal((await next()).records.length, i);
        }
      });
    });
  },

  async "a watch goes on where every connection breaks, and misses nothing"({ open, interrupt }) {
    const made = await open().create(lease(1));
    const { revision } = await open().read();
    await watching(open(), revision, async (next) => {
      await open().create(lease(2));
      assert.equal((await next()).records.length, 2);
      const pending = until(next, ({ records }) => records.some(({ node }) => node === "node-3"));
      await interrupt();
      await open().remove(made.key, made.revision);
      await open().create(lease(3));
      assert.deepEqual((await pending).records.map(({ node }) => node), ["node-2", "node-3"]);
    });
  },

  async "a watch ends without an error when its signal aborts"({ open }) {
    const abort = new AbortController();
    const store = open();
    const { revision } = await store.read();
    const seen: Snapshot[] = [];
    const watching = (async () => {
      for await (const snapshot of store.watch(revision, abort.signal)) seen.push(snapshot);
    })();
    abort.abort();
    await watching;
    assert.equal(seen.length, 0);
    for await (const snapshot of store.watch(0, abort.signal)) seen.push(snapshot);
    assert.equal(seen.length, 0);
    store.close();
  },
};
