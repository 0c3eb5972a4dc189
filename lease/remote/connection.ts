/**
 * HTTP to one server, as both remote stores use it: bounded in bytes and time, never redirected, over TLS with
 * certificates that are read again when they change. Every failure is a FlanError that says which server.
 */
import type { Clock } from "../../net/clock.ts";
import { FlanError, invalid, messageOf } from "../../net/errors.ts";
import { printable } from "../../net/text.ts";
import { type Credentials, readCredential, stampOf } from "./credentials.ts";

export interface Request {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** Path and query, from the first slash on. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds until the answer must be whole (or, of a stream, its head must be there). */
  readonly timeout: number;
  /** How many bytes of the answer's body are read at most. */
  readonly maxBytes: number;
  /** Gives the request up; it then fails like one that had no answer. */
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
  /** Text as it comes. Ends where the server ends it, throws `store` where the connection breaks. */
  readonly chunks: AsyncIterable<string>;
}

export class Connection {
  /** `https://h1:2379`, without a slash at its end. */
  readonly origin: string;
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  #client: Deno.HttpClient | undefined;
  #stamp = "";

  constructor(origin: string, { credentials, clock }: { credentials: Credentials; clock: Clock }) {
    this.origin = origin;
    this.#credentials = credentials;
    this.#clock = clock;
  }

  /** Throws `store`, `store-reply`, `store-denied`, and `invalid` for credentials that cannot be used. */
  async request(request: Request): Promise<Answer> {
    const { timeout, maxBytes, signal } = request;
    return await this.#within(timeout, signal, async (inTime) => {
      const response = await this.#fetch(request, inTime);
      let body = "";
      for await (const chunk of this.#read(response, maxBytes)) body += chunk;
      return { status: response.status, headers: response.headers, body };
    });
  }

  /** The same for an answer that goes on: `timeout` is for its head, `maxBytes` for the whole. */
  async stream(request: Request): Promise<Streaming> {
    const { timeout, maxBytes, signal } = request;
    const over = new AbortController();
    const ended = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
    const response = await this.#within(timeout, signal, async (inTime) => {
      inTime.addEventListener("abort", () => over.abort(), { once: true });
      return await this.#fetch(request, ended);
    });
    return { status: response.status, headers: response.headers, chunks: this.#read(response, maxBytes) };
  }

  /** Forgets connections that may be dead; the next request makes a new one. */
  reset(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  close(): void {
    this.reset();
  }

  async #fetch({ method, path, headers = {}, body }: Request, signal: AbortSignal): Promise<Response> {
    const init = { method, headers, redirect: "manual" as const, signal, client: this.#open() };
    const response = await fetch(this.origin + path, body === undefined ? init : { ...init, body });
    if (response.status < 300 || response.status > 399 || response.status === 304) return response;
    await response.body?.cancel();
    const to = printable(response.headers.get("location") ?? "nowhere", 200);
    throw this.#error("store-reply", `it redirects to ${to}, which is not followed`);
  }

  async *#read({ body }: Response, maxBytes: number): AsyncGenerator<string> {
    if (body === null) return;
    const decoder = new TextDecoder();
    let bytes = 0;
    try {
      for await (const chunk of body) {
        bytes += chunk.length;
        if (bytes > maxBytes) throw this.#error("store-reply", `its answer is larger than ${maxBytes} bytes`);
        yield decoder.decode(chunk, { stream: true });
      }
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** Runs `work` with a signal that aborts when `timeout` has passed. */
  async #within<T>(
    timeout: number,
    signal: AbortSignal | undefined,
    work: (inTime: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const late = new AbortController();
    const done = new AbortController();
    this.#clock.sleep(timeout, done.signal).then(() => done.signal.aborted || late.abort());
    try {
      return await work(signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]));
    } catch (error) {
      if (!late.signal.aborted) throw this.#explain(error);
      // A connection that swallows what it is given would swallow the next request as well.
      this.reset();
      throw this.#error("store", `no answer within ${timeout / 1000} s`);
    } finally {
      done.abort();
    }
  }

  #open(): Deno.HttpClient {
    const { ca, cert, key } = this.#credentials;
    const stamp = stampOf([ca, cert, key]);
    if (stamp !== this.#stamp) this.reset();
    this.#stamp = stamp;
    if (this.#client !== undefined) return this.#client;
    const options: Deno.CreateHttpClientOptions = {
      // One connection a request that is under way: over HTTP/2 all of them would hang with one.
      http2: false,
      ...(ca === undefined ? {} : { caCerts: [readCredential(ca, "store-ca")] }),
    };
    const own = cert === undefined || key === undefined ? {} : {
      cert: readCredential(cert, "store-cert"),
      key: readCredential(key, "store-key"),
    };
    try {
      this.#client = Deno.createHttpClient({ ...options, ...own } as Deno.CreateHttpClientOptions);
    } catch (error) {
      const files = [ca, cert, key].filter((path) => path !== undefined).join(", ");
      throw invalid("store.credentials", `Cannot use the certificates ${files}: ${messageOf(error)}`);
    }
    return this.#client;
  }

  #explain(error: unknown): FlanError {
    if (error instanceof FlanError) return error;
    const text = reasonOf(error);
    const tls = /certificate|TLS|handshake|alert|InvalidContentType/i.test(text);
    return this.#error(tls ? "store-denied" : "store", text, error);
  }

  #error(code: "store" | "store-reply" | "store-denied", why: string, cause?: unknown): FlanError {
    const hint = code === "store-denied" ? tlsHint(why) : undefined;
    const message = code === "store"
      ? `Cannot reach ${this.origin}: ${why}`
      : `Cannot use ${this.origin}: ${why}`;
    return new FlanError(message, { op: "store.request", code, cause, hint });
  }
}

/** The last, most precise part of what fetch says, without the URL and the layers of its error. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const text = messageOf(cause).split(/: (?=[^:]*$)/).at(-1)!;
  return printable(
    messageOf(cause).length < 120 ? messageOf(cause).replace(/^client error \(\w+\): /, "") : text,
    200,
  );
}

function tlsHint(why: string): string | undefined {
  if (/UnknownIssuer/.test(why)) return "name the authority's certificate with --store-ca";
  if (/BadCertificate|CertificateRequired|HandshakeFailure/i.test(why)) {
    return "name this host's certificate with --store-cert and --store-key";
  }
  return undefined;
}
