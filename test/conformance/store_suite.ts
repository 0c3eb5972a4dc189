/**
 * What every store must do. A store's test file calls {@link storeSuite} with a way to open the same network
 * several times, like several hosts; a case may be skipped only with a reason.
 */
import assert from "node:assert/strict";
import type { ErrorCode } from "../../net/errors.ts";
import { FlanError } from "../../net/errors.ts";
import type { Json } from "../../net/json.ts";
import type { NewRecord, Snapshot, Store } from "../../lease/store.ts";
import { FakeClock } from "../lib/fake_clock.ts";

export interface Opened {
  /** Another handle on the same network. */
  open(): Store;
  readonly clock: FakeClock;
  close(): Promise<void>;
}

export interface StoreSuite {
  readonly name: string;
  readonly open: () => Promise<Opened>;
  readonly skip?: readonly { readonly test: string; readonly reason: string }[];
}

type Case = (network: Opened) => Promise<void>;

export function storeSuite({ name, open, skip = [] }: StoreSuite): void {
  for (const { test } of skip) assert.ok(test in cases, `Cannot skip ${test}: there is no such case`);
  for (const [title, run] of Object.entries(cases)) {
    const reason = skip.find(({ test }) => test === title)?.reason;
    Deno.test({
      name: `${name}: ${title}${reason === undefined ? "" : ` (skipped: ${reason})`}`,
      ignore: reason !== undefined,
      async fn() {
        const network = await open();
        try {
          await run(network);
        } finally {
          await network.close();
        }
      },
    });
  }
}

const config: Json = { Network: "10.5.0.0/16", Backend: { Type: "vxlan" } };

function lease(i: number, options: Partial<NewRecord> = {}): NewRecord {
  const value = { PublicIP: `192.168.0.${i}`, PublicIPv6: null, BackendType: "vxlan" };
  return { key: `10.5.${i}.0-24`, value, node: `node-${i}`, ttl: 3600, ...options };
}

const cases: Record<string, Case> = {
  async "a store that holds nothing is at revision 0"({ open }) {
    assert.deepEqual(await open().read(), { revision: 0, config: undefined, records: [], past: [] });
  },

  async "a lease is read back as it was written, with expiry and revision"({ open, clock }) {
    const made = await open().create(lease(1));
    assert.equal(made.expires, clock.now() + 3600_000);
    assert.ok(made.revision > 0);
    const { revision, records } = await open().read();
    assert.deepEqual(records, [made]);
    assert.ok(revision >= made.revision);
    assert.deepEqual(made.value, lease(1).value);
    assert.equal(made.node, "node-1");
  },

  async "values that nobody understands are kept as they are"({ open }) {
    const odd = [
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

  async "an update needs the expected revision"({ open }) {
    const first = await open().create(lease(1));
    const second = await open().update(lease(1, { value: { PublicIP: "192.168.0.77" } }), first.revision);
    assert.ok(second.revision > first.revision);
    await fails(open().update(lease(1), first.revision), "conflict");
    assert.deepEqual((await open().read()).records, [second]);
  },

  async "an update or removal of what is not there is a conflict"({ open }) {
    await fails(open().update(lease(1), 1), "conflict");
    await fails(open().remove("10.5.1.0-24", 1), "conflict");
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
    await fails(open().remove(first.key, first.revision), "conflict");
    assert.ok(second.revision > first.revision);
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
    assert.deepEqual(records[0], made);
    assert.deepEqual(read, stored);
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

  async "a lease is gone when its time is over, and remembered as expired"({ open, clock }) {
    const made = await open().create(lease(1, { ttl: 60 }));
    await clock.advance(59_000);
    assert.equal((await open().read()).records.length, 1);
    await clock.advance(1000);
    const after = await open().read();
    assert.deepEqual(after.records, []);
    const past = after.past.map(({ key, how, ended }) => ({ key, how, ended }));
    assert.deepEqual(past, [{ key: made.key, how: "expired", ended: made.expires! }]);
    assert.ok(after.revision >= made.revision);
    await fails(open().update(lease(1), made.revision), "conflict");
    await fails(open().remove(made.key, made.revision), "conflict");
  },

  async "an expired key can be leased again"({ open, clock }) {
    await open().create(lease(1, { ttl: 60 }));
    await clock.advance(60_000);
    const again = await open().create(lease(1, { node: "next" }));
    const { records, past } = await open().read();
    assert.deepEqual(records, [again]);
    assert.deepEqual(past, []);
  },

  async "an update gives the lease its time anew"({ open, clock }) {
    const made = await open().create(lease(1, { ttl: 60 }));
    await clock.advance(50_000);
    await open().update(lease(1, { ttl: 60 }), made.revision);
    await clock.advance(50_000);
    assert.equal((await open().read()).records.length, 1);
  },

  async "a reservation does not expire"({ open, clock }) {
    const made = await open().create(lease(1, { ttl: undefined }));
    assert.equal(made.expires, undefined);
    await clock.advance(10 * 365 * 86_400_000);
    assert.deepEqual((await open().read()).records, [made]);
  },

  async "released leases are remembered once, until they are leased again"({ open, clock }) {
    const first = await open().create(lease(1));
    await open().remove(first.key, first.revision);
    const ended = clock.now();
    await clock.advance(5000);
    assert.deepEqual((await open().read()).past, [{ key: first.key, how: "released", ended }]);
    const second = await open().create(lease(1));
    assert.deepEqual((await open().read()).past, []);
    await open().remove(second.key, second.revision);
    assert.deepEqual((await open().read()).past, [{ key: first.key, how: "released", ended: ended + 5000 }]);
  },

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
      assert.deepEqual((await next()).records, [made]);
      const renewed = await open().update(lease(1), made.revision);
      assert.deepEqual((await next()).records, [renewed]);
      const stored = await open().writeConfig(config, 0);
      assert.deepEqual((await next()).config, stored);
      await open().remove(made.key, renewed.revision);
      assert.deepEqual((await next()).records, []);
    });
  },

  async "a watch sees a lease expire, at its time"({ open, clock }) {
    await open().create(lease(1, { ttl: 60 }));
    await open().create(lease(2, { ttl: 7200 }));
    const { revision } = await open().read();
    await watching(open(), revision, async (next) => {
      const pending = next();
      await clock.untilSleeping();
      await clock.advance(60_000);
      assert.deepEqual((await pending).records.map(({ key }) => key), ["10.5.2.0-24"]);
    });
  },

  async "a lease that expired before the watch began is seen as gone"({ open, clock }) {
    await open().create(lease(1, { ttl: 60 }));
    const { revision } = await open().read();
    await clock.advance(60_000);
    await watching(open(), revision, async (next) => {
      assert.deepEqual((await next()).records, []);
    });
  },

  async "a lease that a watch has seen expire is seen again when its holder, whose clock is behind, renews it"(
    { open, clock },
  ) {
    const made = await open().create(lease(1, { ttl: 60 }));
    await watching(open(), 0, async (next) => {
      await clock.advance(60_000);
      assert.deepEqual((await next()).records, []);
      clock.jump(-1000);
      const renewed = await open().update(lease(1, { ttl: 60 }), made.revision);
      clock.jump(1000);
      assert.deepEqual((await next()).records, [renewed]);
    });
  },

  async "no write of a host whose clock is ahead takes a lease away"({ open, clock }) {
    await open().writeConfig(config, 0);
    const made = await open().create(lease(1));
    await open().create(lease(2));
    clock.jump(400 * 86_400_000);
    const stranger = await open().create(lease(3));
    const renewed = await open().update(lease(3), stranger.revision);
    await open().remove(renewed.key, renewed.revision);
    clock.jump(-400 * 86_400_000);
    assert.deepEqual((await open().read()).records.map(({ key }) => key), ["10.5.1.0-24", "10.5.2.0-24"]);
    assert.equal((await open().update(lease(1), made.revision)).key, made.key);
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

/** Runs `body` with a function that gives the watch's next snapshot. */
async function watching(
  store: Store,
  from: number,
  body: (next: () => Promise<Snapshot>) => Promise<void>,
): Promise<void> {
  const abort = new AbortController();
  const iterator = store.watch(from, abort.signal)[Symbol.asyncIterator]();
  try {
    await body(async () => {
      const { done, value } = await iterator.next();
      assert.ok(!done, "the watch ended");
      return value;
    });
  } finally {
    abort.abort();
    await iterator.return?.();
  }
}

export async function fails(promise: Promise<unknown>, code: ErrorCode): Promise<FlanError> {
  const error = await promise.then(() => undefined, (reason) => reason);
  assert.ok(error instanceof FlanError, `expected a FlanError, not ${error}`);
  assert.equal(error.code, code, error.message);
  return error;
}
