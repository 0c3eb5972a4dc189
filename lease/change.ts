/**
 * The store's writes as pure functions of a document and a time, shared by every store that keeps a whole
 * document. Each is a compare-and-swap.
 *
 * An expiry counts as one revision, at its moment, although nobody writes it down until the next write. So
 * every reader gives the same revision to the same contents, and a watcher can tell by it that a lease is gone.
 */
import { FlanError } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import { quoted } from "../net/text.ts";
import type { Document } from "./document.ts";
import type { LeaseRecord, NewRecord, PastLease, Snapshot, StoredConfig } from "./store.ts";

/** How many former leases are remembered, the latest first; more would make every write larger for a hint. */
const MAX_PAST = 20_000;

export interface Changed<T> {
  readonly document: Document;
  readonly result: T;
}

/** What a reader sees at `now` (milliseconds since 1970). */
export function snapshotOf(document: Document, now: number): Snapshot {
  const { revision, config, leases, past } = withoutExpired(document, now);
  return { revision, config, records: sortedByKey(leases), past: sortedByKey(past) };
}

/** When the next of the snapshot's leases expires, milliseconds since 1970, or Infinity. */
export function nextExpiry(snapshot: Snapshot): number {
  return snapshot.records.reduce((next, { expires }) => Math.min(next, expires ?? Infinity), Infinity);
}

/** Adds a lease. Throws `conflict` where its key is held. */
export function created(document: Document, lease: NewRecord, now: number): Changed<LeaseRecord> {
  const live = withoutExpired(document, now);
  const holder = live.leases.get(lease.key);
  if (holder !== undefined) {
    throw conflict("create", lease.key, `it exists at revision ${holder.revision}`);
  }
  return stored(live, lease, now);
}

/** Replaces the lease that stands at `expected`. Throws `conflict`. */
export function updated(
  document: Document,
  lease: NewRecord,
  { expected, now }: { expected: number; now: number },
): Changed<LeaseRecord> {
  const live = withoutExpired(document, now);
  expect(live, lease.key, { expected, verb: "update" });
  return stored(live, lease, now);
}

/** Removes the lease that stands at `expected` and remembers it as released. Throws `conflict`. */
export function removed(
  document: Document,
  key: string,
  { expected, now }: { expected: number; now: number },
): Changed<void> {
  const live = withoutExpired(document, now);
  expect(live, key, { expected, verb: "remove" });
  const leases = new Map(live.leases);
  leases.delete(key);
  const past = remembered(live.past, [{ key, how: "released", ended: now }]);
  return { document: { ...live, revision: live.revision + 1, leases, past }, result: undefined };
}

/** Writes the network config that stands at `expected`, 0 for none. Throws `conflict`. */
export function configured(
  document: Document,
  value: Json,
  { expected, now }: { expected: number; now: number },
): Changed<StoredConfig> {
  const live = withoutExpired(document, now);
  const actual = live.config?.revision ?? 0;
  if (actual !== expected) throw conflict("write", "config", revisions(actual, expected));
  const config = { value, revision: live.revision + 1 };
  return { document: { ...live, revision: config.revision, config }, result: config };
}

function stored(live: Document, lease: NewRecord, now: number): Changed<LeaseRecord> {
  const { key, value, node, ttl } = lease;
  const expires = ttl === undefined ? undefined : Math.ceil(now / 1000 + ttl) * 1000;
  const result: LeaseRecord = { key, value, node, expires, revision: live.revision + 1 };
  const leases = new Map(live.leases).set(key, result);
  const past = new Map(live.past);
  past.delete(key);
  return { document: { ...live, revision: result.revision, leases, past }, result };
}

function withoutExpired(document: Document, now: number): Document {
  const gone = [...document.leases.values()].filter(({ expires }) => expires !== undefined && expires <= now);
  if (gone.length === 0) return document;
  const leases = new Map(document.leases);
  for (const { key } of gone) leases.delete(key);
  const ended = gone.map(({ key, expires }): PastLease => ({ key, how: "expired", ended: expires! }));
  return {
    revision: document.revision + gone.length,
    config: document.config,
    leases,
    past: remembered(document.past, ended),
  };
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

function expect(live: Document, key: string, { expected, verb }: { expected: number; verb: string }): void {
  const actual = live.leases.get(key)?.revision;
  if (actual === undefined) throw conflict(verb, key, "it does not exist");
  if (actual !== expected) throw conflict(verb, key, revisions(actual, expected));
}

function revisions(actual: number, expected: number): string {
  return `it stands at revision ${actual}, not ${expected}`;
}

function conflict(verb: string, key: string, why: string): FlanError {
  const what = key === "config" ? "the network config" : `lease ${quoted(key)}`;
  return new FlanError(`Cannot ${verb} ${what}: ${why}`, { op: `store.${verb}`, code: "conflict" });
}

function sortedByKey<T extends { readonly key: string }>(map: ReadonlyMap<string, T>): T[] {
  return [...map.values()].sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
}
