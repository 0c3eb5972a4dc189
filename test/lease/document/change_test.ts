import assert from "node:assert/strict";
import fc from "fast-check";
import {
  configured,
  created,
  createdAll,
  forgotten,
  nextExpiry,
  removed,
  snapshotOf,
  updated,
} from "../../../lease/document/change.ts";
import { type Document, EMPTY } from "../../../lease/document/document.ts";
import type { LeaseRecord, NewRecord, PastLease } from "../../../lease/store.ts";

const now = Date.UTC(2026, 0, 1);
const lease = (key: string, ttl?: number): NewRecord => ({ key, value: {}, node: "n", ttl });

Deno.test("a change leaves the document it began with as it was", () => {
  const { document: before, result } = created(EMPTY, lease("10.5.1.0-24", 60), now);
  const copy = structuredClone(before);
  created(before, lease("10.5.2.0-24", 60), now);
  updated(before, lease("10.5.1.0-24", 90), { expected: result.revision, now });
  removed(before, "10.5.1.0-24", { expected: result.revision, now });
  configured(before, {}, 0);
  snapshotOf(before, now + 100_000);
  assert.deepEqual(before, copy);
  assert.deepEqual(EMPTY, { revision: 0, config: undefined, leases: new Map(), past: new Map() });
});

Deno.test("many leases are one change: the second of one key is left, and one that has expired is not in the way", () => {
  let document: Document = EMPTY;
  for (const i of [1, 2]) ({ document } = created(document, lease(`10.5.${i}.0-24`, i * 60), now));
  const keys = [1, 2, 3, 3].map((i) => `10.5.${i}.0-24`);
  const later = now + 60_000;
  const { document: after, result } = createdAll(document, keys.map((key) => lease(key, 60)), later);
  assert.equal(after.revision, document.revision + 1);
  assert.deepEqual(result.map((record) => record?.revision), [3, undefined, 3, undefined]);
  assert.equal(result[0]!.expires, later + 60_000);
  assert.deepEqual(snapshotOf(after, later).past, []);
  const none = createdAll(after, keys.map((key) => lease(key, 60)), later);
  assert.equal(none.document, after);
});

Deno.test("an expiry hides the lease and leaves the revision as it is, until the next write", () => {
  let document: Document = EMPTY;
  for (const i of [1, 2, 3]) ({ document } = created(document, lease(`10.5.${i}.0-24`, i * 60), now));
  assert.deepEqual([0, 60, 120, 180].map((s) => snapshotOf(document, now + s * 1000).revision), [3, 3, 3, 3]);
  assert.deepEqual([0, 60, 120, 180].map((s) => snapshotOf(document, now + s * 1000).records.length), [
    3,
    2,
    1,
    0,
  ]);
  const { result } = created(document, lease("10.5.9.0-24"), now + 120_000);
  assert.equal(result.revision, 4);
});

Deno.test("the next expiry is the earliest that is still to come", () => {
  let document: Document = EMPTY;
  assert.equal(nextExpiry(snapshotOf(document, now)), Infinity);
  for (const [i, ttl] of [undefined, 60, 30].entries()) {
    ({ document } = created(document, lease(`10.5.${i}.0-24`, ttl), now));
  }
  assert.equal(nextExpiry(snapshotOf(document, now)), now + 30_000);
  assert.equal(nextExpiry(snapshotOf(document, now + 30_000)), now + 60_000);
  assert.equal(nextExpiry(snapshotOf(document, now + 60_000)), Infinity);
});

Deno.test("a lease lives for whole seconds, and never shorter than was asked", () => {
  const { result } = created(EMPTY, lease("10.5.1.0-24", 60), now + 1);
  assert.equal(result.expires, now + 61_000);
});

Deno.test("the past is bounded, and its oldest entries go first", () => {
  const past = Array.from({ length: 20_000 }, (_, i): [string, PastLease] => {
    const key = `10.${i >> 8}.${i & 255}.0-24`;
    return [key, { key, how: "released", ended: i }];
  });
  const full: Document = { ...EMPTY, revision: 1, past: new Map(past) };
  const { document, result } = created(full, lease("10.200.1.0-24"), now);
  const after = removed(document, result.key, { expected: result.revision, now }).document;
  assert.equal(after.past.size, 20_000);
  assert.ok(
    after.past.has("10.200.1.0-24") && !after.past.has("10.0.0.0-24") && after.past.has("10.0.1.0-24"),
  );
});

Deno.test("a host whose clock is ahead forgets what was released, and no lease", () => {
  let document: Document = EMPTY;
  for (const i of [1, 2, 3]) ({ document } = created(document, lease(`10.5.${i}.0-24`, 86_400), now));
  ({ document } = removed(document, "10.5.3.0-24", { expected: 3, now }));
  const ahead = now + 10 * 86_400_000;
  const expired = snapshotOf(document, ahead).past.filter(({ stays }) => stays);
  const after = forgotten(document, ahead);
  assert.equal(after.result, 1);
  assert.deepEqual([...after.document.leases.keys()], expired.map(({ key }) => key));
  assert.deepEqual(snapshotOf(after.document, now).records.length, 2);
  assert.equal(forgotten(after.document, ahead).document, after.document);
});

Deno.test("of very many expired leases a write moves the longest expired to the past, and only a few", () => {
  const record = (i: number, expires: number): [string, LeaseRecord] => {
    const key = `10.${i >> 8}.${i & 255}.0-24`;
    return [key, { key, value: {}, node: "n", expires, revision: 1 }];
  };
  const leases = new Map(Array.from({ length: 20_500 }, (_, i) => record(i, now - i)));
  const { document } = created({ ...EMPTY, revision: 1, leases }, lease("10.200.1.0-24"), now);
  assert.equal(document.leases.size, 20_485);
  assert.deepEqual([...document.past.values()].map(({ ended }) => now - ended).sort(), [
    ...Array.from({ length: 16 }, (_, i) => 20_484 + i),
  ]);
});

Deno.test("after any run of changes revisions have only grown, and every key is either leased or past", () => {
  const step = fc.record({
    verb: fc.constantFrom("create", "update", "remove", "wait"),
    key: fc.constantFrom("10.5.1.0-24", "10.5.2.0-24", "10.5.3.0-24"),
    ttl: fc.constantFrom(undefined, 1, 2, 3),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    let document: Document = EMPTY;
    let time = now;
    const ever = new Set<string>();
    for (const { verb, key, ttl } of steps) {
      const before = snapshotOf(document, time);
      const held = before.records.find((record) => record.key === key);
      if (verb === "wait") time += 1000;
      else if (verb === "create" && held === undefined) {
        ({ document } = created(document, lease(key, ttl), time));
        ever.add(key);
      } else if (verb === "update" && held !== undefined) {
        ({ document } = updated(document, lease(key, ttl), { expected: held.revision, now: time }));
      } else if (verb === "remove" && held !== undefined) {
        ({ document } = removed(document, key, { expected: held.revision, now: time }));
      } else {
        const attempt = () =>
          verb === "create"
            ? created(document, lease(key, ttl), time)
            : removed(document, key, { expected: before.revision, now: time });
        assert.throws(attempt, { code: "conflict" });
        continue;
      }
      const after = snapshotOf(document, time);
      assert.ok(after.revision > before.revision || verb === "wait" && after.revision === before.revision);
      const keys = [...after.records, ...after.past].map((entry) => entry.key).sort();
      assert.deepEqual(keys, [...ever].sort());
    }
  }));
});
