/** What the stores have in common that keep one document: every write is a change of it, made as a whole. */
import type { Clock } from "../../net/clock.ts";
import type { Json } from "../../net/json.ts";
import type {
  LeaseRecord,
  NewRecord,
  Settled,
  Snapshot,
  Store,
  StoredConfig,
  StoreFinding,
  WatchOptions,
} from "../store.ts";
import {
  type Changed,
  configured,
  created,
  createdAll,
  forgotten,
  removed,
  renewed,
  snapshotOf,
  updated,
} from "./change.ts";
import type { Document } from "./document.ts";

/**
 * Which leases have expired is judged at {@link DocumentStore.ahead} of this host's clock, and all times that the
 * store tells are by this host's clock again.
 */
export abstract class DocumentStore implements Store {
  abstract readonly url: string;
  readonly usesLocalClock: boolean = true;
  protected readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  abstract read(): Promise<Snapshot>;
  abstract watch(from: number, signal: AbortSignal, options?: WatchOptions): AsyncIterable<Snapshot>;
  abstract inspect(): Promise<readonly StoreFinding[]>;
  abstract close(): void;

  /**
   * Puts what `change` makes of the present document in its place, unless that is the same object. May call it
   * several times, each time with what is there by then.
   */
  protected abstract change<T>(change: (present: Document) => Changed<T>): Promise<T>;

  /** How far the clock by which the document's leases end is ahead of this host's, milliseconds. */
  protected get ahead(): number {
    return 0;
  }

  /** What a reader sees of the document now. */
  protected snapshot(document: Document): Snapshot {
    const { ahead } = this;
    const snapshot = snapshotOf(document, this.#now());
    if (ahead === 0) return snapshot;
    return {
      ...snapshot,
      records: snapshot.records.map((record) => by(record, ahead)),
      past: snapshot.past.map((lease) => ({ ...lease, ended: lease.ended - ahead })),
    };
  }

  create(lease: NewRecord): Promise<LeaseRecord> {
    return this.#record((document) => created(document, lease, this.#now()));
  }

  async createAll(leases: readonly NewRecord[], settled: Settled): Promise<void> {
    const records = await this.change((document) => createdAll(document, leases, this.#now()));
    leases.forEach((lease, i) => {
      const record = records[i];
      settled(lease, record && by(record, this.ahead));
    });
  }

  update(lease: NewRecord, expected: number): Promise<LeaseRecord> {
    return this.#record((document) => updated(document, lease, { expected, now: this.#now() }));
  }

  renew(key: string, options: { expected: number; ttl: number }): Promise<LeaseRecord> {
    return this.#record((document) => renewed(document, key, { ...options, now: this.#now() }));
  }

  remove(key: string, expected: number): Promise<void> {
    return this.change((document) => removed(document, key, { expected, now: this.#now() }));
  }

  writeConfig(value: Json, expected: number): Promise<StoredConfig> {
    return this.change((document) => configured(document, value, expected));
  }

  forget(before: number): Promise<number> {
    return this.change((document) => forgotten(document, before + this.ahead));
  }

  async #record(change: (present: Document) => Changed<LeaseRecord>): Promise<LeaseRecord> {
    return by(await this.change(change), this.ahead);
  }

  #now(): number {
    return this.clock.now() + this.ahead;
  }
}

/** The record by a clock that is `ahead` milliseconds behind. */
function by(record: LeaseRecord, ahead: number): LeaseRecord {
  return ahead === 0 || record.expires === undefined
    ? record
    : { ...record, expires: record.expires - ahead };
}
