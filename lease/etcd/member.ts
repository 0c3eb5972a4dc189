/** One endpoint of an etcd cluster, with the token that this host has there. */
import type { Clock } from "../../net/clock.ts";
import { FlanError } from "../../net/errors.ts";
import type { JsonObject } from "../go_json.ts";
import { Connection } from "../remote/connection.ts";
import { type Credentials, readCredential } from "../remote/credentials.ts";
import { asStoreTrouble } from "../remote/trouble.ts";
import { EtcdError, type Method } from "./gateway.ts";
import { linesOf } from "./lines.ts";
import { type Asked, messageIn, messageInLine, TokenRefused, trouble } from "./replies.ts";

/** Milliseconds until an answer must be whole, or the first message of a watch be there. */
const TIMEOUT = 5000;
/** The same for `kv/range`: 10,000 leases are some MB, which take their time on a slow line. */
const RANGE_TIMEOUT = 15_000;
/**
 * Bytes of one answer or one line. A lease takes about 700 of them, so this is room for 90,000; a message of a watch
 * holds what changed in up to 1000 revisions. Whoever sends more shall not fill this host's memory.
 */
const MAX_BYTES = 64 * 1024 * 1024;
/** Bytes of an answer that says what is wrong. */
const MAX_ERROR = 64 * 1024;
/** How etcd refuses to give out tokens while auth is off. */
const AUTH_OFF = /authentication is not enabled/;

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
  /** Under way or there; "" where auth is off. */
  #token: Promise<string> | undefined;
  /** Whether the password file could be used once. */
  #proven = false;

  constructor(origin: string, { credentials, clock, prefix }: MemberOptions) {
    this.origin = origin;
    this.#credentials = credentials;
    this.#clock = clock;
    this.#prefix = prefix;
    this.#connection = new Connection(origin, { credentials, clock });
  }

  /** Throws {@link EtcdError}, and `store`, `store-reply`, `store-denied`, `invalid` (credentials). */
  async call(method: Method, request: JsonObject): Promise<JsonObject> {
    return await this.#withToken((headers) => this.#post(method, request, headers));
  }

  /** See `Gateway`. Throws as {@link call}. */
  async *watch(request: JsonObject, limits: WatchLimits): AsyncGenerator<JsonObject> {
    const { first, messages } = await this.#withToken(async (headers) => {
      const messages = this.#messages(request, limits, headers);
      // A token is refused in the first message.
      return { first: await messages.next(), messages };
    });
    if (first.done) return;
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
    request: JsonObject,
    headers: Readonly<Record<string, string>>,
  ): Promise<JsonObject> {
    const answer = await this.#connection.request({
      method: "POST",
      path: `/v3/${method}`,
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(request),
      timeout: method === "kv/range" ? RANGE_TIMEOUT : TIMEOUT,
      maxBytes: method.startsWith("kv/") ? MAX_BYTES : MAX_ERROR,
    });
    return messageIn(answer, this.#asked(method));
  }

  async *#messages(
    request: JsonObject,
    { signal, lifetime }: WatchLimits,
    headers: Readonly<Record<string, string>>,
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
    headers: Readonly<Record<string, string>>,
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

  /** Does `work`, and where the token is not accepted once more with a new one. */
  async #withToken<T>(work: (headers: Readonly<Record<string, string>>) => Promise<T>): Promise<T> {
    const token = this.#tokenNow();
    try {
      return await work(authorization(await token));
    } catch (error) {
      if (!(error instanceof TokenRefused) || token === undefined) throw error;
      // Another call may have renewed it meanwhile.
      if (this.#token === token) this.#token = undefined;
      return await work(authorization(await this.#tokenNow()));
    }
  }

  #tokenNow(): Promise<string> | undefined {
    const { user, passwordFile } = this.#credentials;
    if (user === undefined || passwordFile === undefined) return undefined;
    if (this.#token !== undefined) return this.#token;
    const token = this.#authenticate(user, passwordFile);
    this.#token = token;
    token.catch(() => {
      if (this.#token === token) this.#token = undefined;
    });
    return token;
  }

  async #authenticate(user: string, passwordFile: string): Promise<string> {
    const request = { name: user, password: this.#password(passwordFile) };
    try {
      const { token } = await this.#post("auth/authenticate", request, {});
      this.#proven = true;
      // It becomes a header; a signed one (JWT) has some hundred characters.
      if (typeof token === "string" && /^[\x21-\x7e]{1,8192}$/.test(token)) return token;
      throw trouble(
        "store-reply",
        this.#asked("auth/authenticate"),
        "it gives no token that can be sent back",
      );
    } catch (error) {
      if (error instanceof EtcdError && AUTH_OFF.test(error.message)) return "";
      throw error;
    }
  }

  /** It is read each time: whoever changes it in etcd changes the file too. */
  #password(path: string): string {
    try {
      return readCredential(path, "store-password-file");
    } catch (error) {
      // A setting that was good at the start is trouble of the store later, which passes.
      throw this.#proven && error instanceof FlanError ? asStoreTrouble(error) : error;
    }
  }
}

function authorization(token: string | undefined): Readonly<Record<string, string>> {
  // As it is: etcd does not want "Bearer".
  return token === undefined || token === "" ? {} : { authorization: token };
}
