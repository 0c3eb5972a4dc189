/** Serves a file store's document to other hosts, over HTTP or HTTPS. */
import { isStoreTrouble } from "../../net/errors.ts";
import { placeOf } from "../../net/place.ts";
import type { FileStore } from "../file/file_store.ts";
import { Access, type AccessOptions } from "./access.ts";
import { DOCUMENT_PATH, DocumentServer } from "./document_server.ts";
import { Listener, type ListenOptions } from "./listener.ts";
import { ServedDocument } from "./served_document.ts";

/** How long a stop waits for answers that are under way, milliseconds. */
const STOP_LIMIT = 10_000;

export interface ServeOptions extends AccessOptions, ListenOptions {}

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
  const listener = new Listener(options, (request, from) => documents.handle(request, from));
  const over = new AbortController();
  const working = Promise.all([document.watch(over.signal), listener.run(over.signal)]);
  const scheme = options.tls === undefined ? "http" : "https";
  return {
    url: `${scheme}://${placeOf(listener.addr)}${DOCUMENT_PATH}`,
    waiting: () => documents.waiting,
    async stop() {
      documents.stop();
      over.abort();
      const late = new AbortController();
      await Promise.race([listener.stop(), clock.sleep(STOP_LIMIT, late.signal)]);
      late.abort();
      await working;
    },
  };
}
