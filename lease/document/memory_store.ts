/** A store in memory, for tests and the simulator. Several may share one {@link SharedDocument}, like hosts one file. */
import type { Clock } from "../../net/clock.ts";
import type { Json } from "../../net/json.ts";
import {
  type Changed,
  configured,
  created,
  forgotten,
  removed,
  renewed,
  snapshotOf,
  updated,
} from "./change.ts";
import { type Document, EMPTY } from "./document.ts";
import type { LeaseRecord, NewRecord, Snapshot, Store, StoredConfig, StoreFinding } from "../store.ts";
import { Bell, watchSnapshots } from "./watch.ts";

/** What the stores of several hosts have in common. */
export class SharedDocument {
  document: Document = EMPTY;
  readonly bells: Set<Bell> = new Set();
}

export class MemoryStore implements Store {
  readonly url: string = "memory:";
  readonly #clock: Clock;
  readonly #shared: SharedDocument;

  constructor({ clock, shared = new SharedDocument() }: { clock: Clock; shared?: SharedDocument }) {
    this.#clock = clock;
    this.#shared = shared;
  }

  read(): Promise<Snapshot> {
    return Promise.resolve(snapshotOf(this.#shared.document, this.#clock.now()));
  }

  async *watch(from: number, signal: AbortSignal): AsyncGenerator<Snapshot> {
    const bell = new Bell();
    this.#shared.bells.add(bell);
    try {
      const source = { url: this.url, clock: this.#clock, bell, read: () => this.read() };
      yield* watchSnapshots(source, { from, signal });
    } finally {
      this.#shared.bells.delete(bell);
    }
  }

  create(lease: NewRecord): Promise<LeaseRecord> {
    return this.#write((document, now) => created(document, lease, now));
  }

  update(lease: NewRecord, expected: number): Promise<LeaseRecord> {
    return this.#write((document, now) => updated(document, lease, { expected, now }));
  }

  renew(key: string, options: { expected: number; ttl: number }): Promise<LeaseRecord> {
    return this.#write((document, now) => renewed(document, key, { ...options, now }));
  }

  remove(key: string, expected: number): Promise<void> {
    return this.#write((document, now) => removed(document, key, { expected, now }));
  }

  writeConfig(value: Json, expected: number): Promise<StoredConfig> {
    return this.#write((document) => configured(document, value, expected));
  }

  forget(before: number): Promise<number> {
    return this.#write((document) => forgotten(document, before));
  }

  inspect(): Promise<readonly StoreFinding[]> {
    return Promise.resolve([]);
  }

  close(): void {}

  // deno-lint-ignore require-await -- a conflict must be a rejection, as with a store that really waits
  async #write<T>(change: (document: Document, now: number) => Changed<T>): Promise<T> {
    const { document, result } = change(this.#shared.document, this.#clock.now());
    if (document === this.#shared.document) return result;
    this.#shared.document = document;
    for (const bell of this.#shared.bells) bell.ring();
    return result;
  }
}
