/** The store in one JSON document at a URL, shared by every host that can reach it. */
import type { Clock } from "../../net/clock.ts";
import { FlanError } from "../../net/errors.ts";
import type { Json } from "../../net/json.ts";
import type { Logger } from "../../net/log.ts";
import { Bell } from "../bell.ts";
import { type Changed, configured } from "../document/change.ts";
import type { Document } from "../document/document.ts";
import { DocumentStore } from "../document/document_store.ts";
import { watchSnapshots } from "../document/watch.ts";
import type { Snapshot, StoredConfig, StoreFinding, WatchOptions } from "../store.ts";
import { follow } from "./follow.ts";
import type { HttpDocument } from "./http_document.ts";
import { type ServerTime, skewed } from "../remote/server_time.ts";

/** How often a watch looks whether the clocks still say the same, milliseconds. */
const RECHECK = 30_000;

export interface HttpStoreOptions {
  /** Tells this host's time. */
  readonly clock: Clock;
  /** Paces the requests; the same clock, except in tests. */
  readonly pace?: Clock;
  readonly log: Logger;
}

/**
 * Every write reads the document, changes it, and puts it back if nobody else has meanwhile. What a lost reply
 * has written is found by whoever reads next.
 */
export class HttpStore extends DocumentStore {
  readonly url: string;
  override readonly usesLocalClock = false;
  readonly #document: HttpDocument;
  readonly #time: ServerTime;
  readonly #pace: Clock;
  readonly #log: Logger;

  constructor(document: HttpDocument, { clock, pace = clock, log }: HttpStoreOptions) {
    super(clock);
    this.url = document.url;
    this.#document = document;
    this.#time = document.timeBy(clock);
    this.#pace = pace;
    this.#log = log;
  }

  async read(): Promise<Snapshot> {
    const { document } = await this.#document.read();
    return this.snapshot(document);
  }

  /** A document that was restored from a backup is yielded as it is, whatever its revision. */
  async *watch(
    from: number,
    signal: AbortSignal,
    { troubled = (error) => this.#logTrouble(error) }: WatchOptions = {},
  ): AsyncGenerator<Snapshot> {
    if (signal.aborted) return;
    const bell = new Bell();
    let current: Document | undefined;
    const changed = (document: Document) => {
      current = document;
      bell.ring();
    };
    const read = () => Promise.resolve(current === undefined ? undefined : this.snapshot(current));
    const over = new AbortController();
    const ended = AbortSignal.any([signal, over.signal]);
    const following = follow(this.#document, { clock: this.#pace, changed, troubled, signal: ended })
      .catch((error) => bell.fail(error));
    try {
      const source = { url: this.url, clock: this.clock, bell, recheck: RECHECK, acceptsOlder: true, read };
      yield* watchSnapshots(source, { from, signal });
    } finally {
      over.abort();
      await following;
    }
  }

  /** Whoever begins a network proves that the server can keep one. Throws `store-reply` where it cannot. */
  override writeConfig(value: Json, expected: number): Promise<StoredConfig> {
    if (expected !== 0) return super.writeConfig(value, expected);
    return this.#document.begin((document) => configured(document, value, expected));
  }

  /**
   * Only of flan's own server, which is the one that can wait, a proof is asked for that it compares before it
   * swaps: it refuses what could do harm. Another one that does not would put back what was read, and so undo what
   * somebody wrote in between.
   */
  async inspect(): Promise<readonly StoreFinding[]> {
    await this.#document.read();
    const skew = skewed(this.ahead, `the server of ${this.url}`);
    if (!await this.#document.waits()) return [...skew, ...foreignServer(this.url)];
    try {
      await this.#document.prove();
      return skew;
    } catch (error) {
      return [...skew, findingOf(error)];
    }
  }

  close(): void {
    this.#document.close();
  }

  /** All hosts judge by the server's clock. */
  protected override get ahead(): number {
    return this.#time.ahead;
  }

  protected change<T>(change: (present: Document) => Changed<T>): Promise<T> {
    return this.#document.swap(change);
  }

  #logTrouble(error: FlanError | undefined): void {
    if (error === undefined) this.#log.log("info", `${this.url} can be used again`);
    else this.#log.log("warning", error.message, { code: error.code });
  }
}

function findingOf(error: unknown): StoreFinding {
  if (!(error instanceof FlanError)) throw error;
  const { message, hint } = error;
  const advice = hint === undefined ? {} : { hint };
  if (error.code === "store-denied") return { code: "read-only", severity: "warning", message, ...advice };
  if (error.code !== "store-reply") throw error;
  return { code: "no-compare-and-swap", severity: "high", message, ...advice };
}

function foreignServer(url: string): StoreFinding[] {
  const hint = "flan store serve does both";
  return [{
    code: "no-long-poll",
    severity: "warning",
    message: `The server of ${url} does not tell of changes: hosts ask every 5 seconds`,
    hint,
  }, {
    code: "swap-not-proved",
    severity: "warning",
    message:
      `The server of ${url} is not asked to prove that it does conditional PUT: that writes where it does not`,
    hint,
  }];
}
