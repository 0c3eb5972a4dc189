/** PUT of the served document: bounded in bytes and time, and judged under the lock of the file store. */
import type { Clock } from "../../net/clock.ts";
import { FlanError } from "../../net/errors.ts";
import { Damage, type Document, MAX_DOCUMENT, parseDocument } from "../document/document.ts";
import { mayWrite } from "./conditions.ts";
import { always, failure } from "./failure.ts";
import type { Served, ServedDocument } from "./served_document.ts";

/** How long a body may take, milliseconds; a connection that dawdles must not hold its share of the memory. */
const BODY_LIMIT = 20_000;
/** Bytes of all bodies that may be on their way at once. */
const MAX_BYTES = 2 * MAX_DOCUMENT;

/** Goes up through the lock; the store is as it was. */
class Refused extends FlanError {
  readonly response: Response;

  constructor(response: Response) {
    super(`Cannot write: refused with ${response.status}`, { op: "store.write", code: "conflict" });
    this.response = response;
  }
}

export class Writer {
  readonly #document: ServedDocument;
  readonly #clock: Clock;
  #bytes = 0;

  constructor(document: ServedDocument, clock: Clock) {
    this.#document = document;
    this.#clock = clock;
  }

  /** Throws what the file store throws. */
  async write(request: Request): Promise<Response> {
    const length = request.headers.get("content-length");
    if (length === null || !/^\d{1,15}$/.test(length)) {
      return failure(411, "a PUT needs a Content-Length", "store-reply");
    }
    const size = Number(length);
    if (size > MAX_DOCUMENT) return tooLarge();
    if (mayWrite(request.headers, undefined) === undefined) {
      return failure(428, "a PUT needs If-Match, or If-None-Match: *", "store-reply");
    }
    if (this.#bytes + size > MAX_BYTES) {
      return failure(503, "too many writes are under way", "store", { "retry-after": "1" });
    }
    this.#bytes += size;
    try {
      const text = await this.#textOf(request, size);
      const { etag } = await this.#document.replace((present) => judged(request.headers, { text, present }));
      return new Response(null, { status: 204, headers: { ...always, etag } });
    } catch (error) {
      if (error instanceof Refused) return error.response;
      throw error;
    } finally {
      this.#bytes -= size;
    }
  }

  async #textOf({ body }: Request, size: number): Promise<string> {
    const bytes = new Uint8Array(size);
    const over = new AbortController();
    const late = this.#clock.sleep(BODY_LIMIT, over.signal).then(() => undefined);
    const reader = body?.getReader();
    try {
      let filled = 0;
      while (reader !== undefined) {
        const read = await Promise.race([reader.read(), late]);
        if (read === undefined) throw new Refused(failure(408, "the body took too long", "store"));
        if (read.done) break;
        if (filled + read.value.length > size) throw new Refused(tooLarge());
        bytes.set(read.value, filled);
        filled += read.value.length;
      }
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, filled));
    } catch (error) {
      if (error instanceof Refused) throw error;
      throw new Refused(failure(400, "the body is not whole, or not UTF-8 text", "store-reply"));
    } finally {
      over.abort();
      await reader?.cancel().catch(() => undefined);
    }
  }
}

/** The document that a PUT may put in the place of the present one. Throws {@link Refused}. */
function judged(
  headers: Headers,
  { text, present }: { text: string; present: Served | undefined },
): Document {
  if (!mayWrite(headers, present?.etag)) {
    const tag: Record<string, string> = present === undefined ? {} : { etag: present.etag };
    throw new Refused(failure(412, "the document is another one by now", "store", tag));
  }
  const document = parsed(text);
  const revision = present?.document.revision ?? 0;
  // Revisions only grow: peers tell by them which of two documents is the newer one.
  if (document.revision <= revision) {
    const why = `its revision ${document.revision} is not larger than the present ${revision}`;
    throw new Refused(failure(409, why, "store-reply"));
  }
  return document;
}

function parsed(text: string): Document {
  try {
    return parseDocument(text);
  } catch (error) {
    if (!(error instanceof Damage)) throw error;
    throw new Refused(failure(422, `the new document cannot be used: ${error.message}`, "store-reply"));
  }
}

function tooLarge(): Response {
  return failure(413, `the document may have ${MAX_DOCUMENT} bytes`, "store-reply");
}
