/** A store in memory, for tests and the simulator. Several may share one {@link SharedDocument}, like hosts one file. */
import type { Clock } from "../../net/clock.ts";
import { Bell } from "../bell.ts";
import type { Snapshot, StoreFinding } from "../store.ts";
import type { Changed } from "./change.ts";
import { type Document, EMPTY } from "./document.ts";
import { DocumentStore } from "./document_store.ts";
import { watchSnapshots } from "./watch.ts";

/** What the stores of several hosts have in common. */
export class SharedDocument {
  document: Document = EMPTY;
  readonly bells: Set<Bell> = new Set();
}

export class MemoryStore extends DocumentStore {
  readonly url: string = "memory:";
  readonly #shared: SharedDocument;

  constructor({ clock, shared = new SharedDocument() }: { clock: Clock; shared?: SharedDocument }) {
    super(clock);
    this.#shared = shared;
  }

  read(): Promise<Snapshot> {
    return Promise.resolve(this.snapshot(this.#shared.document));
  }

  async *watch(from: number, signal: AbortSignal): AsyncGenerator<Snapshot> {
    const bell = new Bell();
    this.#shared.bells.add(bell);
    try {
      const source = { url: this.url, clock: this.clock, bell, read: () => this.read() };
      yield* watchSnapshots(source, { from, signal });
    } finally {
      this.#shared.bells.delete(bell);
    }
  }

  inspect(): Promise<readonly StoreFinding[]> {
    return Promise.resolve([]);
  }

  close(): void {}

  // deno-lint-ignore require-await -- a conflict must be a rejection, as with a store that really waits
  protected async change<T>(change: (present: Document) => Changed<T>): Promise<T> {
    const { document, result } = change(this.#shared.document);
    if (document === this.#shared.document) return result;
    this.#shared.document = document;
    for (const bell of this.#shared.bells) bell.ring();
    return result;
  }
}
