/** One endpoint of an etcd cluster, with the token that this host has there. */
import type { Clock } from "../../net/clock.ts";
import type { JsonObject } from "../go_json.ts";
import { Connection } from "../remote/connection.ts";
import type { Credentials } from "../remote/credentials.ts";
import { ServerTime } from "../remote/server_time.ts";
import type { Method } from "./gateway.ts";
import { linesOf } from "./lines.ts";
import { type Asked, messageIn, messageInLine, trouble } from "./replies.ts";
import { type Headers, Token } from "./token.ts";

/** Milliseconds until an answer must be whole, or the first message of a watch be there. */
const TIMEOUT = 5000;
/** The same for the whole of a `kv/range`: 10,000 leases are some MB, which take their time on a slow line. */
const RANGE_TIMEOUT = 15_000;
/**
 * Bytes of one answer or one line of a watch: a page of 4096 keys with values of 1.4 kB each, which becomes 2 KiB in
 * JSON with base64; a lease has some 350. Where a line holds more, everything is listed again.
 */
const MAX_BYTES = 8 * 1024 * 1024;
/** Bytes of an answer that says what is wrong. */
const MAX_ERROR = 64 * 1024;

export interface MemberOptions {
  readonly credentials: Credentials;
  readonly clock: Clock;
  /** Stands in errors. */
  readonly prefix: string;
}

export interface WatchLimits {
  readonly signal: AbortSignal;
  /** Milliseconds. */
  readonly lifetime: number;
}

export class Member {
  readonly origin: string;
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #prefix: string;
  readonly #connection: Connection;
  readonly #token: Token;
  readonly #time: ServerTime;

  constructor(origin: string, { credentials, clock, prefix }: MemberOptions) {
    this.origin = origin;
    this.#credentials = credentials;
    this.#clock = clock;
    this.#prefix = prefix;
    this.#connection = new Connection(origin, { credentials, clock });
    this.#time = new ServerTime(clock);
    this.#token = new Token({
      credentials,
      asked: this.#asked("auth/authenticate"),
      authenticate: (request) => this.#post("auth/authenticate", { request, headers: {} }),
    });
  }

  /** See {@link ServerTime.ahead}. Nothing is decided by it: etcd ends leases by a clock that nobody sets. */
  get ahead(): number {
    return this.#time.ahead;
  }

  /** Throws {@link EtcdError}, and `store`, `store-reply`, `store-denied`, `invalid` (credentials). */
  async call(method: Method, request: JsonObject, signal?: AbortSignal): Promise<JsonObject> {
    return await this.#token.use((headers) => this.#post(method, { request, headers, signal }), signal);
  }

  /** See `Gateway`. Throws as {@link call}. */
  async *watch(request: JsonObject, limits: WatchLimits): AsyncGenerator<JsonObject> {
    const begun = await this.#token.use(async (headers) => {
      const messages = this.#messages(request, limits, headers);
      // A token is refused in the first message.
      return { first: await messages.next(), messages };
    }, limits.signal).catch((error) => {
      if (!limits.signal.aborted) throw error;
    });
    if (begun === undefined || begun.first.done) return;
    const { first, messages } = begun;
    try {
      yield first.value;
      yield* messages;
    } finally {
      await messages.return(undefined);
    }
  }

  close(): void {
    this.#connection.close();
  }

  #asked(method: string): Asked {
    return { origin: this.origin, method, user: this.#credentials.user, prefix: this.#prefix };
  }

  async #post(
    method: string,
    { request, headers, signal }: { request: JsonObject; headers: Headers; signal?: AbortSignal | undefined },
  ): Promise<JsonObject> {
    const answered = this.#time.asked();
    const answer = await this.#connection.request({
      method: "POST",
      path: `/v3/${method}`,
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(request),
      timeout: method === "kv/range" ? RANGE_TIMEOUT : TIMEOUT,
      headTimeout: TIMEOUT,
      maxBytes: method.startsWith("kv/") ? MAX_BYTES : MAX_ERROR,
      ...(signal === undefined ? {} : { signal }),
    });
    answered(answer.headers.get("date"));
    return messageIn(answer, this.#asked(method));
  }

  async *#messages(
    request: JsonObject,
    { signal, lifetime }: WatchLimits,
    headers: Headers,
  ): AsyncGenerator<JsonObject> {
    const asked = this.#asked("watch");
    const over = new AbortController();
    const [heard, ended] = [new AbortController(), new AbortController()];
    let [late, expired] = [false, false];
    const end = () => over.abort();
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    this.#clock.sleep(TIMEOUT, heard.signal).then(() => {
      if (heard.signal.aborted) return;
      late = true;
      end();
    });
    this.#clock.sleep(lifetime, ended.signal).then(() => {
      if (ended.signal.aborted) return;
      expired = true;
      end();
    });
    try {
      for await (const line of await this.#lines(request, headers, over.signal)) {
        heard.abort();
        if (line !== "") yield messageInLine(line, asked);
      }
      // Without this a server that ends each watch at once would be asked again and again.
      if (!heard.signal.aborted) throw trouble("store", asked, "its watch ended before it began");
    } catch (error) {
      if (signal.aborted || expired) return;
      if (late) throw trouble("store", asked, `its watch says nothing within ${TIMEOUT / 1000} s`);
      throw error;
    } finally {
      heard.abort();
      ended.abort();
      signal.removeEventListener("abort", end);
      end();
    }
  }

  async #lines(
    request: JsonObject,
    headers: Headers,
    signal: AbortSignal,
  ): Promise<AsyncIterable<string>> {
    const asked = this.#asked("watch");
    const { status, headers: head, chunks } = await this.#connection.stream({
      method: "POST",
      path: "/v3/watch",
      headers: {
        "content-type": "application/json",
        // rpctypes.MetadataRequireLeaderKey: a member without a leader ends the watch instead of saying nothing.
        "grpc-metadata-hasleader": "true",
        ...headers,
      },
      body: JSON.stringify(request),
      timeout: TIMEOUT,
      maxBytes: Infinity,
      signal,
    });
    if (status === 200) {
      const why = `a line of its watch is longer than ${MAX_BYTES} bytes`;
      return linesOf(chunks, { limit: MAX_BYTES, tooLong: () => trouble("store-reply", asked, why) });
    }

    let body = "";
    for await (const chunk of chunks) {
      body += chunk;
      if (body.length > MAX_ERROR) break;
    }
    messageIn({ status, headers: head, body }, asked);
    throw trouble("store-reply", asked, `it answers ${status} to a watch`);
  }
}
