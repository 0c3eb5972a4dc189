/** A port that stays open: listened at again after a failure, and with a new certificate when its files change. */
import type { Clock } from "../../net/clock.ts";
import { FlanError, messageOf, systemReason } from "../../net/errors.ts";
import type { Logger } from "../../net/log.ts";
import { type Place, placeOf } from "../../net/place.ts";
import { readCredential, stampOf } from "../remote/credentials.ts";

/** How often the certificate's files are looked at, milliseconds. */
export const LOOK = 10_000;
/** Milliseconds before a port that failed is listened at again: descriptors may have been given back by then. */
const PAUSE = 1000;
/** A port is free again some milliseconds after it was given up: between attempts, and how many are no failure. */
const REBIND = { pause: 20, attempts: 50 };
/** One line in so many milliseconds says that the port fails. */
const QUIET = 60_000;

export interface ListenOptions extends Place {
  /** PEM files, for HTTPS. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Answers a request; `from` is the client's address. */
export type Handle = (request: Request, from: string) => Promise<Response>;

type Pair = { readonly cert: string; readonly key: string } | undefined;

export class Listener {
  readonly addr: Deno.NetAddr;
  readonly #options: ListenOptions;
  readonly #handle: Handle;
  #pair: Pair;
  #stamp: string;
  #server: Deno.HttpServer<Deno.NetAddr>;
  /** Resolves to why the server takes no more connections. */
  #failed: Promise<unknown>;
  #toldAt = -Infinity;
  /** Servers that answer what they have begun. */
  readonly #ending = new Set<Promise<void>>();

  /**
   * Listens. Throws `invalid` for files that cannot be used, `failed` or `not-permitted` where the port cannot be had.
   */
  constructor(options: ListenOptions, handle: Handle) {
    this.#options = options;
    this.#handle = handle;
    this.#stamp = this.#stampNow();
    this.#pair = pairOf(options);
    this.#server = listen({ ...options, pair: this.#pair }, handle);
    this.#failed = failureOf(this.#server);
    this.addr = this.#server.addr;
  }

  /** Goes on listening until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const over = new AbortController();
      const look = clock.sleep(LOOK, AbortSignal.any([signal, over.signal])).then(() => undefined);
      const failure = await Promise.race([this.#failed, look]);
      over.abort();
      if (signal.aborted) return;
      if (failure !== undefined) {
        this.#tell(failure);
        this.#end();
        await clock.sleep(PAUSE, signal);
      } else if (!this.#exchange()) continue;
      await this.#listenAgain(signal);
    }
  }

  /** Takes no more connections; resolves when all that were begun are answered. */
  async stop(): Promise<void> {
    this.#end();
    await Promise.all(this.#ending);
  }

  /** Lets the server answer what it has begun. */
  #end(): void {
    // One that has failed says so once more.
    const ending: Promise<void> = this.#server.shutdown().catch(() => {})
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  async #listenAgain(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        this.#server = listen({ ...this.#options, port: this.addr.port, pair: this.#pair }, this.#handle);
        this.#failed = failureOf(this.#server);
        return;
      } catch (error) {
        if (attempt >= REBIND.attempts) this.#tell(error);
      }
      await clock.sleep(attempt < REBIND.attempts ? REBIND.pause : PAUSE, signal);
    }
  }

  /** Takes in a pair of files that is another one and good, and gives the port up for it. */
  #exchange(): boolean {
    const { tls, log } = this.#options;
    const stamp = this.#stampNow();
    if (tls === undefined || stamp === this.#stamp) return false;
    this.#stamp = stamp;
    try {
      const pair = pairOf(this.#options)!;
      // Whether the two fit together, before the port is given up for them.
      Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...pair }).close();
      if (pair.cert === this.#pair!.cert && pair.key === this.#pair!.key) return false;
      this.#pair = pair;
    } catch (error) {
      // Files that are just being exchanged do not fit for a moment; the next look finds them.
      const message = `Cannot use the new --tls-cert ${tls.cert}, the old one serves on: ${
        systemReason(error)
      }`;
      log.log("warning", message, { code: "certificate" });
      return false;
    }
    log.log("info", `Serving with the new certificate in ${tls.cert}`);
    this.#end();
    return true;
  }

  #stampNow(): string {
    const { tls } = this.#options;
    return stampOf([tls?.cert, tls?.key]);
  }

  #tell(failure: unknown): void {
    const { clock, log } = this.#options;
    if (clock.monotonic() - this.#toldAt < QUIET) return;
    this.#toldAt = clock.monotonic();
    // Deno puts its own class before the system's words.
    const why = systemReason(failure).replace(/^Error: /, "");
    log.log("error", `Cannot take connections at ${placeOf(this.addr)}: ${why}`, {
      code: "listen",
      hint: "too many connections, also idle ones, are kept away by a proxy in front",
    });
  }
}

function pairOf({ tls }: ListenOptions): Pair {
  return tls && { cert: readCredential(tls.cert, "tls-cert"), key: readCredential(tls.key, "tls-key") };
}

function failureOf({ finished }: Deno.HttpServer<Deno.NetAddr>): Promise<unknown> {
  return finished.then(() => new Error("the server ended"), (error) => error);
}

function listen(
  { hostname, port, pair, log }: ListenOptions & { readonly pair: Pair },
  handle: Handle,
): Deno.HttpServer<Deno.NetAddr> {
  const settings = {
    hostname,
    port,
    // Whoever serves says so in its own words.
    onListen: () => {},
    onError: (error: unknown) => {
      log.log("error", `Cannot answer a client: ${messageOf(error)}`);
      return new Response(null, { status: 500 });
    },
  };
  try {
    const answer = (request: Request, { remoteAddr }: Deno.ServeHandlerInfo<Deno.NetAddr>) =>
      handle(request, remoteAddr.hostname);
    return pair === undefined ? Deno.serve(settings, answer) : Deno.serve({ ...settings, ...pair }, answer);
  } catch (error) {
    throw refused(placeOf({ hostname, port }), error);
  }
}

function refused(where: string, error: unknown): FlanError {
  if (messageOf(error).includes("KeyMismatch")) {
    const message = "Cannot serve over TLS: --tls-key is not the key of the certificate in --tls-cert";
    return new FlanError(message, { op: "store.serve", code: "invalid", cause: error });
  }
  const code = error instanceof Deno.errors.PermissionDenied
    ? "not-permitted"
    : error instanceof Deno.errors.InvalidData || error instanceof TypeError
    ? "invalid"
    : "failed";
  const hint = error instanceof Deno.errors.AddrInUse
    ? "name another one with --listen"
    : code === "invalid"
    ? "are --tls-cert and --tls-key a pair, in PEM?"
    : undefined;
  const message = `Cannot listen at ${where}: ${systemReason(error)}`;
  return new FlanError(message, { op: "store.serve", code, cause: error, hint });
}
