/** A file store's document as a server hands it out: its text, its entity tag, and a wait for another one. */
import type { Clock } from "../../net/clock.ts";
import { FlanError } from "../../net/errors.ts";
import type { Logger } from "../../net/log.ts";
import { type Document, EMPTY, formatDocument } from "../document/document.ts";
import { fileBell } from "../file/file_bell.ts";
import type { FileStore } from "../file/file_store.ts";

/** How often the watched directory is looked after, and how soon a watch that failed is tried again, milliseconds. */
const RECHECK = 30_000;
const REARM = 2000;

/** The document in the form in which it is sent. */
export interface Served {
  readonly document: Document;
  readonly body: Uint8Array<ArrayBuffer>;
  /** A hash of the body: a restored backup may repeat a revision, but never an entity tag. */
  readonly etag: string;
}

export class ServedDocument {
  readonly #store: FileStore;
  readonly #clock: Clock;
  readonly #log: Logger;
  #latest: Served | undefined;
  /** The one reading that is under way; of all who were woken by a change only the first one reads. */
  #reading: Promise<Served | undefined> | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(store: FileStore, { clock, log }: { clock: Clock; log: Logger }) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** The document of this moment, or undefined where none was written yet. Throws as the file store does. */
  present(): Promise<Served | undefined> {
    if (this.#reading !== undefined) return this.#reading;
    const reading = this.#store.document()
      .then((document) => document === EMPTY ? undefined : this.#serve(document))
      .finally(() => {
        if (this.#reading === reading) this.#reading = undefined;
      });
    return this.#reading = reading;
  }

  /** The document as soon as its tag is not `etag`, or the present one when `signal` aborts. Throws as `present`. */
  async other(etag: string | undefined, signal: AbortSignal): Promise<Served | undefined> {
    while (true) {
      // Waiting begins before the look, so that no change falls between the two.
      const { promise: woken, resolve: wake } = Promise.withResolvers<void>();
      this.#waiting.add(wake);
      const stop = () => wake();
      signal.addEventListener("abort", stop);
      try {
        const served = await this.present();
        if (served?.etag !== etag || signal.aborted) return served;
        await woken;
      } finally {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", stop);
      }
    }
  }

  /** Writes what `judge` makes of the present document, and resolves to how it is served then. */
  async replace(judge: (present: Served | undefined) => Document): Promise<Served> {
    let next = EMPTY;
    await this.#store.replace(async (present) => {
      return next = judge(present === EMPTY ? undefined : await this.#serve(present));
    });
    this.#wake();
    return await this.#serve(next);
  }

  /** Wakes those who wait whenever the file changes, whoever writes it. Resolves when `signal` aborts. */
  async watch(signal: AbortSignal): Promise<void> {
    let troubled = false;
    while (!signal.aborted) {
      try {
        await using watched = await fileBell(this.#store.path, signal);
        troubled = false;
        while (!signal.aborted) {
          this.#wake();
          const over = new AbortController();
          const either = AbortSignal.any([signal, over.signal]);
          await Promise.race([watched.bell.wait(either), this.#clock.sleep(RECHECK, either)])
            .finally(() => over.abort());
          await watched.check();
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof FlanError)) throw error;
        if (!troubled) this.#log.log("warning", error.message, { code: error.code });
        troubled = true;
        this.#wake();
        await this.#clock.sleep(REARM, signal);
      }
    }
  }

  #wake(): void {
    // A reading that began before the change may miss it.
    this.#reading = undefined;
    for (const wake of [...this.#waiting]) wake();
  }

  async #serve(document: Document): Promise<Served> {
    if (this.#latest?.document === document) return this.#latest;
    const body = new TextEncoder().encode(formatDocument(document));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
    return this.#latest = { document, body, etag: `"${digest.toHex()}"` };
  }
}
