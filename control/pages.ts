/**
 * Pages over HTTP/1.1 (RFC 9112) for whoever watches this host: a GET or HEAD a connection, and nothing else.
 * Clients, bytes and time are bounded as on the control socket, which a general HTTP server's are not.
 */
import type { Clock } from "../net/clock.ts";
import { FlanError, messageOf, systemReason } from "../net/errors.ts";
import type { Logger } from "../net/log.ts";
import { type Place, placeOf } from "../net/place.ts";
import { printable } from "../net/text.ts";
import { acceptAll } from "./accept.ts";
import { closeQuietly, type Conn, writeAll } from "./lines.ts";
import { withPatience } from "./patience.ts";

/** Bytes that a request's head may have; those of scrapers and probes have some hundreds. */
const MAX_HEAD = 8192;

export interface Page {
  readonly status: 200 | 404 | 503;
  readonly text: string;
  /** Of the text; plain text unless given. */
  readonly type?: string;
}

const PLAIN = "text/plain; charset=utf-8";
const reasons = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

export interface Pages {
  /** The page at a path, which begins with `/` and has no query. Where it throws, that is logged, and a 500 is served. */
  readonly page: (path: string) => Promise<Page>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface Served {
  /** Where it listens: the port is the one that was found where any was asked for. */
  readonly place: Place;
  /** Resolves when `signal` has aborted and the last client is gone. */
  readonly ended: Promise<void>;
}

/**
 * Serves pages until `signal` aborts. Throws `failed` or `not-permitted` where the port cannot be had, naming the
 * place.
 */
export function servePages(place: Place, pages: Pages): Served {
  const listener = listenAt(place);
  pages.signal.addEventListener("abort", () => listener.close(), { once: true });
  const ended = acceptAll(listener, { ...pages, serve: (conn) => servePage(conn, pages) });
  return { place: listener.addr, ended };
}

function listenAt(place: Place): Deno.TcpListener {
  try {
    return Deno.listen({ ...place });
  } catch (error) {
    throw new FlanError(`Cannot listen at ${placeOf(place)}: ${systemReason(error)}`, {
      op: "listen",
      code: error instanceof Deno.errors.PermissionDenied ? "not-permitted" : "failed",
      cause: error,
      hint: "name another one with --listen",
    });
  }
}

async function servePage(conn: Conn, pages: Pages): Promise<void> {
  const { clock, signal } = pages;
  const hangUp = () => closeQuietly(conn);
  signal.addEventListener("abort", hangUp, { once: true });
  try {
    const head = await withPatience(conn, clock, () => readHead(conn));
    const answer = await answerTo(head, pages);
    await withPatience(conn, clock, () => writeAll(conn, answer));
  } catch {
    // A client that sends nonsense, says nothing or goes away is its own problem.
  } finally {
    signal.removeEventListener("abort", hangUp);
    closeQuietly(conn);
  }
}

/** The request line and the header fields. Throws TypeError where they do not end within {@link MAX_HEAD} bytes. */
async function readHead(conn: Conn): Promise<string> {
  const chunk = new Uint8Array(MAX_HEAD);
  let head = "";
  while (!head.includes("\r\n\r\n")) {
    if (head.length >= MAX_HEAD) throw new TypeError(`more than ${MAX_HEAD} bytes came`);
    const read = await conn.read(chunk);
    if (read === null) throw new TypeError("the connection ended");
    // A byte is a character here: nothing but the request line is looked at.
    head += String.fromCharCode(...chunk.subarray(0, read));
  }
  return head;
}

async function answerTo(head: string, { page, log }: Pages): Promise<Uint8Array> {
  const [, method, path] = /^([A-Z]{1,16}) (\/[^\s?]*)(?:\?\S*)? HTTP\/1\.[01]\r\n/.exec(head) ?? [];
  if (path === undefined) return response(400, { text: "This is no request of HTTP/1.1\n" });
  if (method !== "GET" && method !== "HEAD") {
    return response(405, { text: "Pages can only be read\n", more: ["Allow: GET, HEAD"] });
  }
  const headOnly = method === "HEAD";
  try {
    const { status, text, type } = await page(path);
    return response(status, { text, type, headOnly });
  } catch (error) {
    log.log("error", `Cannot serve ${printable(path)}: ${messageOf(error)}`);
    return response(500, { text: "This page cannot be made now; the log says why\n", headOnly });
  }
}

function response(
  status: keyof typeof reasons,
  { text, type = PLAIN, more = [], headOnly = false }: {
    text: string;
    type?: string | undefined;
    more?: readonly string[];
    headOnly?: boolean;
  },
): Uint8Array {
  const encoder = new TextEncoder();
  const head = [
    `HTTP/1.1 ${status} ${reasons[status]}`,
    `Content-Type: ${type}`,
    `Content-Length: ${encoder.encode(text).length}`,
    "Cache-Control: no-store",
    "Connection: close",
    ...more,
  ];
  return encoder.encode(`${head.join("\r\n")}\r\n\r\n${headOnly ? "" : text}`);
}
