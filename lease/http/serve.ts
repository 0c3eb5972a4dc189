/** Serves a file store's document to other hosts, over HTTP or HTTPS. */
import type { Clock } from "../../net/clock.ts";
import { FlanError, isStoreTrouble, messageOf, systemReason } from "../../net/errors.ts";
import type { Logger } from "../../net/log.ts";
import type { FileStore } from "../file/file_store.ts";
import { readCredential } from "../remote/credentials.ts";
import { Access, type AccessOptions } from "./access.ts";
import { DOCUMENT_PATH, DocumentServer } from "./document_server.ts";
import { ServedDocument } from "./served_document.ts";

/** How long a stop waits for answers that are under way, milliseconds. */
const STOP_LIMIT = 10_000;

export interface ServeOptions extends AccessOptions {
  /** An IP address without brackets. */
  readonly hostname: string;
  /** 0 for any free one. */
  readonly port: number;
  /** PEM files, for HTTPS. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Serving {
  /** Where the document is, as other hosts name it with `--store`. */
  readonly url: string;
  /** How many clients wait for a change. */
  readonly waiting: () => number;
  /** Answers those who wait, lets writes finish, and takes no new requests. */
  stop(): Promise<void>;
}

/**
 * Begins to serve. Throws `invalid` for files that cannot be used, `failed` or `not-permitted` where it cannot
 * listen. A store that cannot be read now is served all the same: clients get the reason.
 */
export async function serve(store: FileStore, options: ServeOptions): Promise<Serving> {
  const { clock, log, tokenFile, readTokenFile } = options;
  const access = new Access({ tokenFile, readTokenFile });
  await access.load();
  await store.makeDirectory();
  await store.document().catch((error) => {
    if (!isStoreTrouble(error)) throw error;
    log.log("warning", error.message, { code: error.code });
  });
  const document = new ServedDocument(store, { clock, log });
  const documents = new DocumentServer({ document, access, clock, log });
  const server = listen(options, (request, from) => documents.handle(request, from));
  const over = new AbortController();
  const watching = document.watch(over.signal);
  const { hostname, port } = server.addr;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return {
    url: `${options.tls === undefined ? "http" : "https"}://${host}:${port}${DOCUMENT_PATH}`,
    waiting: () => documents.waiting,
    async stop() {
      documents.stop();
      const late = new AbortController();
      await Promise.race([server.shutdown(), clock.sleep(STOP_LIMIT, late.signal)]);
      late.abort();
      over.abort();
      await watching;
    },
  };
}

function listen(
  { hostname, port, tls, log }: ServeOptions,
  handle: (request: Request, from: string) => Promise<Response>,
): Deno.HttpServer<Deno.NetAddr> {
  const where = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const files = tls && {
    cert: readCredential(tls.cert, "tls-cert"),
    key: readCredential(tls.key, "tls-key"),
  };
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
    return files === undefined ? Deno.serve(settings, answer) : Deno.serve({ ...settings, ...files }, answer);
  } catch (error) {
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
    throw new FlanError(`Cannot listen at ${where}: ${systemReason(error)}`, {
      op: "store.serve",
      code,
      cause: error,
      hint,
    });
  }
}
