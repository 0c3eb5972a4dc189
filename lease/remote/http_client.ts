/** Deno's HTTP client with this host's certificates, made anew when their files change. */
import { FlanError, invalid, messageOf } from "../../net/errors.ts";
import { type Credentials, readCredential, stampOf } from "./credentials.ts";

export class HttpClient {
  readonly #credentials: Credentials;
  #stamp: string | undefined;
  #options: Deno.CreateHttpClientOptions | undefined;
  #client: Deno.HttpClient | undefined;
  /** What is wrong with the files as they are now; those that were read before are used instead. */
  unusable: FlanError | undefined;

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  /**
   * The client for the next request. Files that are being exchanged do not fit together for a moment, so whoever
   * had good ones goes on with them until there are better ones. Throws `invalid` where there never were any.
   */
  get(): Deno.HttpClient {
    const { ca, cert, key } = this.#credentials;
    // Before they are read: what changes while they are is read again the next time.
    const stamp = stampOf([ca, cert, key]);
    if (stamp !== this.#stamp) this.#renew(stamp);
    return this.#client ??= directClient(this.#options!);
  }

  /** Closes connections that nobody uses now; those in use go on to their end. */
  reset(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  #renew(stamp: string): void {
    try {
      const options = optionsOf(this.#credentials);
      const client = create(options, this.#credentials);
      this.reset();
      this.#client = client;
      this.#options = options;
      this.unusable = undefined;
    } catch (error) {
      if (this.#options === undefined || !(error instanceof FlanError)) throw error;
      this.unusable = error;
    }
    this.#stamp = stamp;
  }
}

function optionsOf({ ca, cert, key }: Credentials): Deno.CreateHttpClientOptions {
  const base = {
    // One connection a request that is under way: over HTTP/2 all of them would hang with one.
    http2: false,
    ...(ca === undefined ? {} : { caCerts: [readPem(ca, "store-ca", CERTIFICATE)] }),
  };
  if (cert === undefined || key === undefined) return base as Deno.CreateHttpClientOptions;
  const own = {
    cert: readPem(cert, "store-cert", CERTIFICATE),
    key: readPem(key, "store-key", PRIVATE_KEY),
  };
  return { ...base, ...own } as Deno.CreateHttpClientOptions;
}

/** RFC 7468. Without this Deno takes a file without certificates for an empty list of authorities. */
const CERTIFICATE = { begin: /^-----BEGIN CERTIFICATE-----/m, name: "certificate" };
const PRIVATE_KEY = { begin: /^-----BEGIN (RSA |EC )?PRIVATE KEY-----/m, name: "private key" };

function readPem(path: string, setting: string, { begin, name }: { begin: RegExp; name: string }): string {
  const text = readCredential(path, setting);
  if (begin.test(text)) return text;
  throw unusable(
    setting,
    path,
    /^-----BEGIN ENCRYPTED/m.test(text) ? "it is encrypted" : `it holds no PEM ${name}`,
  );
}

function create(options: Deno.CreateHttpClientOptions, { ca, cert, key }: Credentials): Deno.HttpClient {
  try {
    return directClient(options);
  } catch (error) {
    const why = messageOf(error);
    if (/KeyMismatch/.test(why)) {
      throw unusable("store-key", key!, `it is not the key of --store-cert ${cert}`);
    }
    if (/\bkeys?\b/.test(why)) throw unusable("store-key", key!, "its key cannot be parsed");
    const [setting, path] = cert === undefined || !isGood(options) ? ["store-ca", ca!] : ["store-cert", cert];
    throw unusable(setting!, path!, "a certificate in it cannot be parsed");
  }
}

/** From these Deno takes a proxy for whatever a client asks, at the moment in which it is made. */
const PROXIES = ["http_proxy", "https_proxy", "all_proxy"].flatMap((name) => [name, name.toUpperCase()]);

/**
 * A client that uses no proxy: what this host shows to its store is for the store alone, and a watch does not live long
 * behind one. Deno has no option for it, and `NO_PROXY=*` stands for names only.
 */
function directClient(options: Deno.CreateHttpClientOptions): Deno.HttpClient {
  const set = PROXIES.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  for (const [name] of set) Deno.env.delete(name);
  try {
    return Deno.createHttpClient(options);
  } finally {
    for (const [name, value] of set) Deno.env.set(name, value);
  }
}

/** Whether the authorities alone can be used. */
function isGood({ caCerts }: Deno.CreateHttpClientOptions): boolean {
  if (caCerts === undefined) return true;
  try {
    directClient({ caCerts }).close();
    return true;
  } catch {
    return false;
  }
}

function unusable(setting: string, path: string, why: string): FlanError {
  return invalid("store.credentials", `Cannot use --${setting} ${path}: ${why}`);
}
