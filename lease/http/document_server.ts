/**
 * The server of one document: `flan store serve`. GET and HEAD with ETag, If-None-Match and `?wait=SECONDS`; PUT
 * with If-Match or If-None-Match. Errors are JSON, `{"error":"…","code":"store-…"}`, so that a client can say
 * what is wrong behind the server.
 */
import type { Clock } from "../../net/clock.ts";
import { FlanError, messageOf } from "../../net/errors.ts";
import type { Logger } from "../../net/log.ts";
import { Access, denied, type Right } from "./access.ts";
import { isKnown, waitOf } from "./conditions.ts";
import { Denials } from "./denials.ts";
import { always, failure } from "./failure.ts";
import type { Served, ServedDocument } from "./served_document.ts";
import { Writer } from "./writer.ts";

/** Where the document stands. */
export const DOCUMENT_PATH = "/network.json";

/** The longest wait, seconds, and how many clients may wait at once. */
const MAX_WAIT = 60;
export const MAX_WAITING = 2000;

export interface DocumentServerOptions {
  readonly document: ServedDocument;
  readonly access: Access;
  readonly clock: Clock;
  readonly log: Logger;
}

export class DocumentServer {
  readonly #document: ServedDocument;
  readonly #access: Access;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #denials: Denials;
  readonly #writer: Writer;
  readonly #stopping = new AbortController();
  #waiting = 0;

  constructor({ document, access, clock, log }: DocumentServerOptions) {
    this.#document = document;
    this.#access = access;
    this.#clock = clock;
    this.#log = log;
    this.#denials = new Denials({ clock, log });
    this.#writer = new Writer(document, clock);
  }

  /** How many clients wait for a change. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Answers those who wait, and makes nobody wait from now on. */
  stop(): void {
    this.#stopping.abort();
  }

  /** Answers one request, whatever it is. `from` is the client's address, for the log. */
  async handle(request: Request, from: string): Promise<Response> {
    const response = await this.#respond(request, from);
    // Clients judge by it which leases have ended.
    response.headers.set("date", new Date(this.#clock.now()).toUTCString());
    return response;
  }

  async #respond(request: Request, from: string): Promise<Response> {
    try {
      return await this.#answer(request, from);
    } catch (error) {
      if (!(error instanceof FlanError)) {
        this.#log.log("error", `Cannot answer ${request.method} of ${from}: ${messageOf(error)}`);
        return failure(500, "a defect of the server, see its log", "store");
      }
      // Deno does not name errno; these are ENOSPC and EDQUOT (errno(3)).
      const full = /\(os error (28|122)\)/.test(error.message);
      return failure(full ? 507 : 500, error.message, error.code === "store-damaged" ? error.code : "store");
    }
  }

  async #answer(request: Request, from: string): Promise<Response> {
    const url = new URL(request.url);
    const { method, headers } = request;
    const right = await this.#rightOf(headers, from);
    if (right === undefined) {
      return failure(500, "the server cannot tell tokens apart now, see its log", "store");
    }
    if (right === "none" || right === "read" && method !== "GET" && method !== "HEAD") {
      this.#denials.note(from, right === "none" ? "no token that is known" : "a token that may only read");
      const status = right === "none" ? 401 : 403;
      return failure(status, denied(right).message, "store-denied", { "www-authenticate": "Bearer" });
    }
    if (url.pathname !== DOCUMENT_PATH) {
      return failure(404, `the document is at ${DOCUMENT_PATH}`, "store-reply");
    }
    if (method === "PUT") return await this.#writer.write(request);
    if (method === "GET" || method === "HEAD") return await this.#read(request, url);
    return failure(405, "GET, HEAD and PUT are possible", "store-reply", { allow: "GET, HEAD, PUT" });
  }

  /** Undefined where the token files cannot be used: strangers need not know where they are and why. */
  async #rightOf(headers: Headers, from: string): Promise<Right | undefined> {
    try {
      return await this.#access.rightOf(headers.get("authorization"));
    } catch (error) {
      if (!(error instanceof FlanError)) throw error;
      this.#denials.note(from, error.message);
      return undefined;
    }
  }

  async #read({ headers, method }: Request, url: URL): Promise<Response> {
    const condition = headers.get("if-none-match");
    const wait = waitOf(url, MAX_WAIT);
    const waits: Record<string, string> = wait === 0 ? {} : { "preference-applied": `wait=${wait}` };
    const isSame = (served: Served | undefined) =>
      served === undefined ? condition === null : isKnown(condition, served.etag);
    let served = await this.#document.present();
    if (wait > 0 && isSame(served) && !this.#stopping.signal.aborted) {
      if (this.#waiting >= MAX_WAITING) {
        return failure(503, `${MAX_WAITING} clients wait already`, "store", { "retry-after": "5" });
      }
      served = await this.#wait(served?.etag, wait);
    }
    if (served === undefined) return failure(404, "no network was started here yet", undefined, waits);
    const head = { ...always, ...waits, etag: served.etag };
    if (isKnown(condition, served.etag)) return new Response(null, { status: 304, headers: head });
    const length = String(served.body.length);
    const whole = { ...head, "content-type": "application/json", "content-length": length };
    return new Response(method === "HEAD" ? null : served.body, { headers: whole });
  }

  /**
   * Until there is another document, `wait` seconds are over, or the server stops. Whether the client is still
   * there cannot be asked for; one that has gone counts until its time is over.
   */
  async #wait(etag: string | undefined, wait: number): Promise<Served | undefined> {
    const over = new AbortController();
    const end = () => over.abort();
    this.#stopping.signal.addEventListener("abort", end);
    this.#clock.sleep(wait * 1000, over.signal).then(end);
    this.#waiting++;
    try {
      return await this.#document.other(etag, over.signal);
    } finally {
      this.#waiting--;
      over.abort();
      this.#stopping.signal.removeEventListener("abort", end);
    }
  }
}
