/** One JSON document at a URL: read, and changed by compare-and-swap on its entity tag (RFC 9110, 13.1). */
import type { Clock } from "../../net/clock.ts";
import { FlanError } from "../../net/errors.ts";
import type { Changed } from "../document/change.ts";
import {
  Damage,
  type Document,
  EMPTY,
  formatDocument,
  MAX_DOCUMENT,
  parseDocument,
  whyUnreadable,
} from "../document/document.ts";
import { type Answer, Connection } from "../remote/connection.ts";
import type { Credentials } from "../remote/credentials.ts";
import { etagOf, isSuccess, isWeak, refusalOf, toldBy } from "./answers.ts";
import { Bearer } from "./bearer.ts";
import { NEVER, NoSwap, proveSwap } from "./proof.ts";
import { ServerTime } from "../remote/server_time.ts";

/** Milliseconds for a document of the largest size. */
const TIMEOUT = 20_000;
/** How long a server is asked to wait for a change, seconds; a dead connection is found {@link GRACE} later. */
const WAIT = 20;
/** Milliseconds that an answer may be late. */
const GRACE = 5000;
/** Each lost round means that another host has written, so hosts that start together need many. */
const ROUNDS = 100;
/** Upper limit of the pause between rounds, milliseconds; it grows with the rounds. */
const LONGEST_PAUSE = 1000;
/**
 * A tag that is weak now may be strong once the second of its write is over (Apache's is): milliseconds between
 * looks, and how many.
 */
const FRESH = { pause: 1000, looks: 4 };

/** The document as one answer gave it. */
export interface Held {
  /** Undefined where there is no document. */
  readonly etag: string | undefined;
  readonly document: Document;
  /** Whether the server held the answer back until there was something new, or would have. */
  readonly waits: boolean;
}

export interface HttpDocumentOptions {
  /** Paces the requests. */
  readonly clock: Clock;
  readonly credentials: Credentials;
}

export class HttpDocument {
  readonly url: string;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #bearer: Bearer;
  #time: ServerTime | undefined;
  readonly #connection: Connection;
  /** The latest answer, so that what did not change is neither sent nor parsed again. */
  #held: Held | undefined;

  /** `url` is checked by `open_http.ts`. */
  constructor(url: URL, { clock, credentials }: HttpDocumentOptions) {
    this.url = url.href;
    this.#path = url.pathname;
    this.#clock = clock;
    this.#bearer = new Bearer(credentials.tokenFile);
    this.#connection = new Connection(url.origin, { credentials, clock });
  }

  /** The document of this moment. Throws one of the `store…` codes, and `invalid` for bad credentials. */
  async read(): Promise<Held> {
    return await this.#get(this.#held, {});
  }

  /**
   * The document once it is another one than `known`, or `known` after about 20 s. A server that cannot wait
   * answers at once. Throws as `read` does.
   */
  async next(known: Held, signal: AbortSignal): Promise<Held> {
    return await this.#get(known, { wait: WAIT, signal });
  }

  /**
   * Changes the document by `change`, again and again until nobody else has written in between: a write to
   * another key is no conflict. Throws what `change` throws, and as `read` does; then the write may have
   * happened, if only its answer was lost.
   */
  async swap<T>(change: (document: Document) => Changed<T>): Promise<T> {
    for (let round = 0; round < ROUNDS; round++) {
      const { etag, document } = await this.#readToWrite();
      const changed = change(document);
      if (changed.document === document) return changed.result;
      const answer = await this.#put(changed.document, conditionOf(etag));
      if (isSuccess(answer)) return changed.result;
      if (answer.status !== 412) throw refusalOf(this.url, "write", answer);
      await this.#clock.sleep(this.#clock.random(Math.min(20 * 2 ** round, LONGEST_PAUSE)));
    }
    throw new FlanError(`Cannot write ${this.url}: another host wrote first ${ROUNDS} times`, {
      op: "store.write",
      code: "store",
    });
  }

  /** Throws as {@link proveSwap} does. */
  async prove(): Promise<void> {
    const put = (document: Document, condition: Readonly<Record<string, string>>) =>
      this.#put(document, condition);
    await proveSwap({ url: this.url, read: () => this.#readToWrite(), put });
  }

  /**
   * As {@link swap}, for the write that begins a network. The server is proved before and where it was made; what
   * was written at one that does not compare is removed, unless somebody else has written meanwhile.
   */
  async begin<T>(change: (document: Document) => Changed<T>): Promise<T> {
    const { etag } = await this.#readToWrite();
    let written = EMPTY;
    try {
      await this.prove();
      const result = await this.swap((document) => {
        const changed = change(document);
        written = changed.document;
        return changed;
      });
      if (etag === undefined) await this.prove();
      return result;
    } catch (error) {
      // Where it cannot be removed, the server's fault is still what has to be told.
      if (error instanceof NoSwap && etag === undefined) await this.#remove(written).catch(() => {});
      throw error;
    }
  }

  /** Whether the server can wait for a change. It is asked without anything to wait for. */
  async waits(): Promise<boolean> {
    return (await this.#get(undefined, { wait: 1 })).waits;
  }

  /** The server's time as every answer from now on tells it to a host whose time `clock` tells. */
  timeBy(clock: Clock): ServerTime {
    return this.#time = new ServerTime(clock);
  }

  close(): void {
    this.#connection.close();
  }

  /** Damage that our own server tells of is mended by whoever writes, as in a file store. */
  async #readToWrite(): Promise<Held> {
    try {
      return await this.read();
    } catch (error) {
      if (!(error instanceof ServedDamage)) throw error;
    }
    // It opens its document to judge the condition, which no document fulfils.
    await this.#put(EMPTY, { "if-match": NEVER });
    return await this.read();
  }

  async #get(
    known: Held | undefined,
    { wait, signal }: { wait?: number; signal?: AbortSignal },
  ): Promise<Held> {
    const request = {
      method: "GET",
      path: wait === undefined ? this.#path : `${this.#path}?wait=${wait}`,
      headers: known?.etag === undefined ? {} : { "if-none-match": known.etag },
      timeout: wait === undefined ? TIMEOUT : wait * 1000 + GRACE,
      ...(signal === undefined ? {} : { signal }),
    } as const;
    let answer = await this.#request(request);
    for (let look = 1; look < FRESH.looks && answer.status === 200 && isWeak(answer); look++) {
      await this.#clock.sleep(FRESH.pause, signal);
      answer = await this.#request(request);
    }
    const waits = /^wait=\d/.test(answer.headers.get("preference-applied") ?? "");
    if (answer.status === 304 && known?.etag !== undefined) return { ...known, waits };
    return this.#held = { ...this.#contentsOf(answer), waits };
  }

  #contentsOf(answer: Answer): Pick<Held, "etag" | "document"> {
    const told = answer.status === 404 ? toldBy(answer.body) : undefined;
    if (answer.status === 404 && told === undefined) {
      if (this.#held?.etag === undefined) return { etag: undefined, document: EMPTY };
      // A server whose disk is not mounted says so, too; all hosts would leave the network.
      throw new FlanError(`Cannot use ${this.url}: the document that was there is gone`, {
        op: "store.read",
        code: "store-damaged",
      });
    }
    if (answer.status !== 200) {
      const error = refusalOf(this.url, "read", answer);
      throw error.code === "store-damaged" ? new ServedDamage(error) : error;
    }
    const etag = etagOf(this.url, answer);
    if (this.#held?.etag === etag) return this.#held;
    try {
      return { etag, document: parseDocument(answer.body) };
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      throw new FlanError(`Cannot use ${this.url}: ${error.message}`, {
        op: "store.read",
        code: "store-damaged",
      });
    }
  }

  /** Removes `written`, if it is still what stands there. */
  async #remove(written: Document): Promise<void> {
    const { etag, document } = await this.read();
    if (etag === undefined || formatDocument(document) !== formatDocument(written)) return;
    await this.#request({ method: "DELETE", path: this.#path, headers: { "if-match": etag } });
    this.#held = undefined;
  }

  async #put(document: Document, condition: Readonly<Record<string, string>>): Promise<Answer> {
    const body = formatDocument(document);
    const why = whyUnreadable(document, body);
    if (why !== undefined) {
      throw new FlanError(`Cannot write ${this.url}: ${why}`, { op: "store.write", code: "store" });
    }
    const headers = { ...condition, "content-type": "application/json" };
    return await this.#request({ method: "PUT", path: this.#path, headers, body });
  }

  async #request(
    request: { method: "GET" | "PUT" | "DELETE"; path: string; body?: string; timeout?: number } & {
      headers?: Readonly<Record<string, string>>;
      signal?: AbortSignal;
    },
  ): Promise<Answer> {
    // Compression on the way would make the entity tag weak (RFC 9110, 8.8.1).
    const headers = { ...request.headers, ...this.#bearer.headers(), "accept-encoding": "identity" };
    const answered = this.#time?.asked();
    const answer = await this.#connection.request({
      timeout: TIMEOUT,
      ...request,
      headers,
      maxBytes: MAX_DOCUMENT,
    });
    // A gateway whose server is away tells its own time.
    if (answer.status < 500) answered?.(answer.headers.get("date"));
    return answer;
  }
}

/** What our own server says of the document behind it. */
class ServedDamage extends FlanError {
  constructor({ message, op, code, hint }: FlanError) {
    super(message, { op, code, hint });
  }
}

function conditionOf(etag: string | undefined): Readonly<Record<string, string>> {
  return etag === undefined ? { "if-none-match": "*" } : { "if-match": etag };
}
