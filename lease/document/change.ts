/**
 * The store's writes as pure functions of a document and a time, shared by every store that keeps a whole
 * document. Each is a compare-and-swap.
 *
 * An expiry is a judgement of whoever looks, by the clock of its host, and changes neither the document nor its
 * revision. An expired lease is hidden: readers and writers treat it as gone. But no writer deletes it, because
 * one host whose clock is wrong would delete everybody's. It stays until its key is leased again, or until
 * there are very many; its holder can still renew it where clocks disagree, or find it again.
 */
import { FlanError } from "../../net/errors.ts";
import type { Json } from "../../net/json.ts";
import { quoted } from "../../net/text.ts";
import type { Document } from "./document.ts";
import type { LeaseRecord, NewRecord, PastLease, Snapshot, StoredConfig } from "../store.ts";

/** How many former leases are remembered, the latest first; more would make every write larger for a hint. */
const MAX_PAST = 20_000;
/** How many expired leases stay in the document. */
const MAX_EXPIRED = 20_000;
/** How many of more than that one write moves to the past: more than it adds, too few for a wrong clock to do harm. */
const PRUNED_AT_ONCE = 16;

export interface Changed<T> {
  readonly document: Document;
  readonly result: T;
}

/** What a reader sees at `now` (milliseconds since 1970). */
export function snapshotOf(document: Document, now: number): Snapshot {
  const { revision, config } = document;
  const records: LeaseRecord[] = [];
  const past = new Map(document.past);
  for (const record of document.leases.values()) {
    const { key, node, expires } = record;
    if (!isExpired(record, now)) records.push(record);
    else {
      const last = node === undefined ? {} : { node };
      past.set(key, { key, how: "expired", stays: true, ended: expires!, ...last });
    }
  }
  return { revision, config, records: sortedByKey(records), past: sortedByKey([...past.values()]) };
}

/** When the next of the snapshot's leases expires, milliseconds since 1970, or Infinity. */
export function nextExpiry(snapshot: Snapshot): number {
  return snapshot.records.reduce((next, { expires }) => Math.min(next, expires ?? Infinity), Infinity);
}

/** Adds a lease. Throws `conflict` where its key is held. */
export function created(document: Document, lease: NewRecord, now: number): Changed<LeaseRecord> {
  const holder = document.leases.get(lease.key);
  if (holder !== undefined && !isExpired(holder, now)) {
    throw conflict("create", lease.key, `it exists at revision ${holder.revision}`);
  }
  return stored(document, lease, now);
}

/** Adds those whose keys are not held, all at one revision; the result is one item each, undefined where it is held. */
export function createdAll(
  document: Document,
  leases: readonly NewRecord[],
  now: number,
): Changed<readonly (LeaseRecord | undefined)[]> {
  const [all, past] = [new Map(document.leases), new Map(document.past)];
  const revision = document.revision + 1;
  const result = leases.map((lease) => {
    const holder = all.get(lease.key);
    if (holder !== undefined && !isExpired(holder, now)) return undefined;
    const record = recordOf(lease, { revision, now });
    all.set(record.key, record);
    past.delete(record.key);
    return record;
  });
  if (result.every((record) => record === undefined)) return { document, result };
  return { document: pruned({ ...document, revision, leases: all, past }, now), result };
}

/** Replaces the lease that stands at `expected`. Throws `conflict`. */
export function updated(
  document: Document,
  lease: NewRecord,
  { expected, now }: { expected: number; now: number },
): Changed<LeaseRecord> {
  expect(document, lease.key, { expected, now, verb: "update" });
  return stored(document, lease, now);
}

/** Prolongs the lease that stands at `expected`, if it is one that ends. Throws `conflict`. */
export function renewed(
  document: Document,
  key: string,
  { expected, ttl, now }: { expected: number; ttl: number; now: number },
): Changed<LeaseRecord> {
  const record = expect(document, key, { expected, now, verb: "renew" });
  return record.expires === undefined
    ? { document, result: record }
    : stored(document, { ...record, ttl }, now);
}

/**
 * Forgets what ended before `before`; the result is how many leases that were. Those that have only expired stay, as
 * in every write.
 */
export function forgotten(document: Document, before: number): Changed<number> {
  const past = new Map([...document.past].filter(([, { ended }]) => ended >= before));
  const result = document.past.size - past.size;
  if (result === 0) return { document, result };
  return { document: { ...document, revision: document.revision + 1, past }, result };
}

/** Removes the lease that stands at `expected` and remembers it as released. Throws `conflict`. */
export function removed(
  document: Document,
  key: string,
  { expected, now }: { expected: number; now: number },
): Changed<void> {
  expect(document, key, { expected, now, verb: "remove" });
  const leases = new Map(document.leases);
  leases.delete(key);
  const past = remembered(document.past, [{ key, how: "released", ended: Math.floor(now / 1000) * 1000 }]);
  return { document: { ...document, revision: document.revision + 1, leases, past }, result: undefined };
}

/** Writes the network config that stands at `expected`, 0 for none. Throws `conflict`. */
export function configured(
  document: Document,
  value: Json,
  expected: number,
): Changed<StoredConfig> {
  const actual = document.config?.revision ?? 0;
  if (actual !== expected) throw conflict("write", "config", revisions(actual, expected));
  const config = { value, revision: document.revision + 1 };
  return { document: { ...document, revision: config.revision, config }, result: config };
}

function stored(document: Document, lease: NewRecord, now: number): Changed<LeaseRecord> {
  const result = recordOf(lease, { revision: document.revision + 1, now });
  const leases = new Map(document.leases).set(result.key, result);
  const past = new Map(document.past);
  past.delete(result.key);
  return { document: pruned({ ...document, revision: result.revision, leases, past }, now), result };
}

function recordOf(
  { key, value, node, reservedIp, otherPlanes, ttl }: NewRecord,
  { revision, now }: { revision: number; now: number },
): LeaseRecord {
  const expires = ttl === undefined ? undefined : Math.ceil(now / 1000 + ttl) * 1000;
  return {
    key,
    value,
    node,
    ...(reservedIp === undefined ? {} : { reservedIp }),
    ...(otherPlanes === undefined ? {} : { otherPlanes }),
    expires,
    revision,
  };
}

function isExpired({ expires }: LeaseRecord, now: number): boolean {
  return expires !== undefined && expires <= now;
}

/** Moves the longest expired to the past where more are kept than is good. */
function pruned(document: Document, now: number): Document {
  if (document.leases.size <= MAX_EXPIRED) return document;
  const expired = [...document.leases.values()].filter((record) => isExpired(record, now));
  const surplus = Math.min(expired.length - MAX_EXPIRED, PRUNED_AT_ONCE);
  if (surplus <= 0) return document;
  const gone = expired.sort((a, b) => a.expires! - b.expires!).slice(0, surplus);
  const leases = new Map(document.leases);
  for (const { key } of gone) leases.delete(key);
  const ended = gone.map(({ key, expires }): PastLease => ({ key, how: "expired", ended: expires! }));
  return { ...document, leases, past: remembered(document.past, ended) };
}

function remembered(
  past: ReadonlyMap<string, PastLease>,
  ended: readonly PastLease[],
): ReadonlyMap<string, PastLease> {
  const all = new Map(past);
  for (const lease of ended) all.set(lease.key, lease);
  if (all.size <= MAX_PAST) return all;
  const latest = [...all.values()].sort((a, b) => b.ended - a.ended).slice(0, MAX_PAST);
  return new Map(latest.map((lease) => [lease.key, lease]));
}

function expect(
  document: Document,
  key: string,
  { expected, now, verb }: { expected: number; now: number; verb: string },
): LeaseRecord {
  const record = document.leases.get(key);
  if (record === undefined) throw conflict(verb, key, "it does not exist");
  if (isExpired(record, now)) throw conflict(verb, key, "it has expired");
  if (record.revision !== expected) throw conflict(verb, key, revisions(record.revision, expected));
  return record;
}

function revisions(actual: number, expected: number): string {
  return `it stands at revision ${actual}, not ${expected}`;
}

function conflict(verb: string, key: string, why: string): FlanError {
  const what = key === "config" ? "the network config" : `lease ${quoted(key)}`;
  return new FlanError(`Cannot ${verb} ${what}: ${why}`, { op: `store.${verb}`, code: "conflict" });
}

function sortedByKey<T extends { readonly key: string }>(items: T[]): T[] {
  return items.sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
}
