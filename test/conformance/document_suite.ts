/**
 * What every store must do that keeps one document, judged by the clock of whoever looks: all of the store suite,
 * and the cases of one clock that is ahead or behind.
 */
import assert from "node:assert/strict";
import type { Store } from "../../lease/store.ts";
import type { FakeClock } from "../lib/fake_clock.ts";
import { type Cases, config, fails, lease, register, watching } from "./store_case.ts";
import { storeSuite } from "./store_suite.ts";

export interface OpenedDocument {
  /** Another handle on the same network, as another host has. */
  open(): Store;
  /** The clock of every host. */
  readonly clock: FakeClock;
  /** See `Opened`; left out by a store without connections. */
  interrupt?(): Promise<void>;
  close(): Promise<void>;
}

export interface DocumentSuite {
  readonly name: string;
  readonly open: () => Promise<OpenedDocument>;
}

/** Registers the suite's tests, and those of the store suite, with `Deno.test`. */
export function documentSuite({ name, open }: DocumentSuite): void {
  storeSuite({
    name,
    async open() {
      const network = await open();
      const { clock, interrupt } = network;
      return {
        open: () => network.open(),
        now: () => clock.now(),
        tolerance: 0,
        async expire(key) {
          const { records } = await network.open().read();
          const { expires } = records.find((record) => record.key === key)!;
          await clock.advance(expires! - clock.now());
        },
        interrupt: () => interrupt?.call(network) ?? Promise.resolve(),
        close: () => network.close(),
      };
    },
  });
  register(documentCases, { name, open });
}

const documentCases: Cases<OpenedDocument> = {
  async "a store that holds nothing is at revision 0"({ open }) {
    assert.deepEqual(await open().read(), { revision: 0, config: undefined, records: [], past: [] });
  },

  async "a lease is there until the very moment of its expiry"({ open, clock }) {
    const made = await open().create(lease(1, { ttl: 60 }));
    await clock.advance(59_000);
    assert.equal((await open().read()).records.length, 1);
    await clock.advance(1000);
    const { records, past } = await open().read();
    assert.deepEqual(records, []);
    assert.equal(past[0]!.ended, made.expires);
  },

  async "an update or a renewal counts from its own time on"({ open, clock }) {
    const made = await open().create(lease(1, { ttl: 60 }));
    await clock.advance(50_000);
    const updated = await open().update(lease(1, { ttl: 60 }), made.revision);
    await clock.advance(50_000);
    await open().renew(made.key, { expected: updated.revision, ttl: 60 });
    await clock.advance(50_000);
    assert.equal((await open().read()).records.length, 1);
  },

  async "a reservation does not expire"({ open, clock }) {
    const made = await open().create(lease(1, { ttl: undefined }));
    await clock.advance(10 * 365 * 86_400_000);
    assert.deepEqual((await open().read()).records, [made]);
  },

  async "a subnet that is released again is remembered with the later time"({ open, clock }) {
    const first = await open().create(lease(1));
    await open().remove(first.key, first.revision);
    const ended = clock.now();
    await clock.advance(5000);
    assert.deepEqual((await open().read()).past, [{ key: first.key, how: "released", ended }]);
    const second = await open().create(lease(1));
    await open().remove(second.key, second.revision);
    assert.deepEqual((await open().read()).past, [{ key: first.key, how: "released", ended: ended + 5000 }]);
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

  async "what a host whose clock is behind has written is there for the others"({ open, clock }) {
    clock.jump(-3000_000);
    await open().create(lease(1));
    clock.jump(3000_000);
    assert.equal((await open().read()).records.length, 1);
    await fails(open().create(lease(1)), "conflict");
  },
};
