/** The token by which an etcd knows this host, where its auth is on. */
import { FlanError } from "../../net/errors.ts";
import type { JsonObject } from "../go_json.ts";
import { type Credentials, readCredential } from "../remote/credentials.ts";
import { asStoreTrouble } from "../remote/trouble.ts";
import { EtcdError } from "./gateway.ts";
import { type Asked, TokenRefused, trouble } from "./replies.ts";

/** How etcd refuses to give out tokens while auth is off. */
const AUTH_OFF = /authentication is not enabled/;

export type Headers = Readonly<Record<string, string>>;

export interface TokenOptions {
  readonly credentials: Credentials;
  /** Whom to ask; stands in errors. */
  readonly asked: Asked;
  /** Calls `auth/authenticate`. */
  readonly authenticate: (request: JsonObject) => Promise<JsonObject>;
}

export class Token {
  readonly #options: TokenOptions;
  /** Under way or there; "" where auth is off. */
  #token: Promise<string> | undefined;
  /** Whether the password file could be used once. */
  #proven = false;

  constructor(options: TokenOptions) {
    this.#options = options;
  }

  /**
   * Does `work`, and where the token is not accepted once more with a new one. When `signal` aborts it waits for no
   * token any more, and throws `store`.
   */
  async use<T>(work: (headers: Headers) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const token = this.#now();
    try {
      return await work(await this.#headers(token, signal));
    } catch (error) {
      if (!(error instanceof TokenRefused) || token === undefined) throw error;
      // Another call may have renewed it meanwhile.
      if (this.#token === token) this.#token = undefined;
      return await work(await this.#headers(this.#now(), signal));
    }
  }

  async #headers(token: Promise<string> | undefined, signal: AbortSignal | undefined): Promise<Headers> {
    if (token === undefined) return {};
    const text = await unlessAborted(token, signal, this.#options.asked);
    // As it is: etcd does not want "Bearer".
    return text === "" ? {} : { authorization: text };
  }

  #now(): Promise<string> | undefined {
    const { user, passwordFile } = this.#options.credentials;
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
    const { authenticate, asked } = this.#options;
    try {
      const { token } = await authenticate({ name: user, password: this.#password(passwordFile) });
      this.#proven = true;
      // It becomes a header; a signed one (JWT) has some hundred characters.
      if (typeof token === "string" && /^[\x21-\x7e]{1,8192}$/.test(token)) return token;
    } catch (error) {
      if (error instanceof EtcdError && AUTH_OFF.test(error.message)) return "";
      throw error;
    }
    throw trouble("store-reply", asked, "it gives no token that can be sent back");
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

/** What the promise gives, for one who may give up while others go on waiting for it. */
async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  asked: Asked,
): Promise<T> {
  if (signal === undefined) return await work;
  const over = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    const giveUp = () => reject(trouble("store", asked, "the request was given up"));
    signal.addEventListener("abort", giveUp, { once: true, signal: over.signal });
    if (signal.aborted) giveUp();
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    over.abort();
  }
}
