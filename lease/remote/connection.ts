/**
 * HTTP to one server, as both remote stores use it: bounded in bytes and time, never redirected, over TLS with
 * certificates that are read again when they change. Every failure is a FlanError that says which server.
 */
import type { Clock } from "../../net/clock.ts";
import { FlanError } from "../../net/errors.ts";
import { quoted } from "../../net/text.ts";
import type { Credentials } from "./credentials.ts";
import { HttpClient } from "./http_client.ts";
import { type Reason, reasonOf } from "./reasons.ts";

export interface Request {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** Path and query, from the first slash on. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds until the answer must be whole (or, of a stream, its head must be there). */
  readonly timeout: number;
  /** Milliseconds until its head must be there, where that is sooner. */
  readonly headTimeout?: number;
  /** How many bytes of the answer's body are read at most. */
  readonly maxBytes: number;
  /** Gives the request up; it then fails with `store`, like one that had no answer. */
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

export interface Streaming {
  readonly status: number;
  readonly headers: Headers;
  /**
   * Text as it comes, to be read or ended by whoever has it. Ends where the server ends it; throws `store` where the
   * connection breaks or the request is given up, and `store-reply` for what is too much or, in a success, no UTF-8.
   */
  readonly chunks: AsyncIterable<string>;
}

export class Connection {
  /** `https://h1:2379`, without a slash at its end. */
  readonly origin: string;
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #client: HttpClient;
  readonly #closed = new AbortController();

  constructor(origin: string, { credentials, clock }: { credentials: Credentials; clock: Clock }) {
    this.origin = origin;
    this.#credentials = credentials;
    this.#clock = clock;
    this.#client = new HttpClient(credentials);
  }

  /** Throws `store`, `store-reply`, `store-denied`, and `invalid` for credentials that cannot be used. */
  async request(request: Request): Promise<Answer> {
    const signals = [this.#closed.signal, ...request.signal === undefined ? [] : [request.signal]];
    return await this.#within(request, AbortSignal.any(signals), async (inTime, heard) => {
      const response = await this.#fetch(request, inTime);
      heard();
      let body = "";
      for await (const chunk of this.#read(response, request.maxBytes)) body += chunk;
      return { status: response.status, headers: response.headers, body };
    });
  }

  /** The same for an answer that goes on: `timeout` is for its head, `maxBytes` for the whole. */
  async stream(request: Request): Promise<Streaming> {
    // It goes on after the time limit of its head, so it cannot hang on the signal of that.
    const over = new AbortController();
    const signal = request.signal === undefined
      ? over.signal
      : AbortSignal.any([request.signal, over.signal]);
    const response = await this.#within(request, undefined, (inTime) => {
      inTime.addEventListener("abort", () => over.abort(), { once: true });
      return this.#fetch(request, signal);
    });
    const { status, headers } = response;
    return { status, headers, chunks: this.#read(response, request.maxBytes) };
  }

  /** Forgets connections that may be dead; the next request makes a new one. Requests under way go on. */
  reset(): void {
    this.#client.reset();
  }

  /** Gives up the requests under way, but for streams, and all later ones. */
  close(): void {
    this.#closed.abort();
    this.reset();
  }

  async #fetch({ method, path, headers = {}, body }: Request, signal: AbortSignal): Promise<Response> {
    const response = await fetch(this.origin + path, {
      method,
      // Compressed answers could grow without end on this side.
      headers: { "accept-encoding": "identity", ...headers },
      redirect: "manual",
      signal,
      client: this.#client.get(),
      ...(body === undefined ? {} : { body }),
    });
    if (response.status < 300 || response.status > 399 || response.status === 304) return response;
    await response.body?.cancel();
    const to = response.headers.get("location");
    const where = to === null ? "" : ` to ${quoted(to, 200)}`;
    throw this.#error({ code: "store-reply", why: `it redirects${where}, which is not followed` });
  }

  async *#read({ body, ok }: Response, maxBytes: number): AsyncGenerator<string> {
    if (body === null) return;
    // The page of an error may be written in anything.
    const decoder = new TextDecoder("utf-8", { fatal: ok });
    let bytes = 0;
    try {
      for await (const chunk of body) {
        bytes += chunk.length;
        if (bytes > maxBytes) throw this.#tooLarge(maxBytes);
        yield this.#decode(() => decoder.decode(chunk, { stream: true }));
      }
      yield this.#decode(() => decoder.decode());
    } catch (error) {
      throw this.#explain(error);
    }
  }

  #decode(decode: () => string): string {
    try {
      return decode();
    } catch (error) {
      throw this.#error({ code: "store-reply", why: "its answer is not UTF-8" }, error);
    }
  }

  /** Runs `work` with a signal that aborts when the time is over; `work` says when it has heard of the server. */
  async #within<T>(
    { timeout, headTimeout = timeout }: Request,
    signal: AbortSignal | undefined,
    work: (inTime: AbortSignal, heard: () => void) => Promise<T>,
  ): Promise<T> {
    const [late, done, heard] = [new AbortController(), new AbortController(), new AbortController()];
    const limit = async (ms: number, over: AbortSignal) => {
      await this.#clock.sleep(ms, over);
      if (!over.aborted) late.abort();
    };
    limit(timeout, done.signal);
    if (headTimeout < timeout) limit(headTimeout, heard.signal);
    try {
      const inTime = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
      return await work(inTime, () => heard.abort());
    } catch (error) {
      if (!late.signal.aborted) throw this.#explain(error);
      // A connection that swallows what it is given would swallow the next request as well.
      this.reset();
      const why = heard.signal.aborted
        ? `its answer is not whole after ${timeout / 1000} s`
        : `no answer within ${Math.min(headTimeout, timeout) / 1000} s`;
      throw this.#error({ code: "store", why });
    } finally {
      done.abort();
      heard.abort();
    }
  }

  #tooLarge(maxBytes: number): FlanError {
    return this.#error({ code: "store-reply", why: `its answer is larger than ${maxBytes} bytes` });
  }

  #explain(error: unknown): FlanError {
    if (error instanceof FlanError) return error;
    return this.#error(reasonOf(error, { origin: this.origin, credentials: this.#credentials }), error);
  }

  #error({ code, why, hint }: Reason, cause?: unknown): FlanError {
    const verb = code === "store" ? "reach" : "use";
    // Certificates that could not be exchanged are why those in use fail.
    const more = code === "store-denied" ? this.#client.unusable?.message ?? hint : hint;
    return new FlanError(`Cannot ${verb} ${this.origin}: ${why}`, {
      op: "store.request",
      code,
      cause,
      hint: more,
    });
  }
}
