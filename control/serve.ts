/** Answers over a unix socket: one request a connection, one line of JSON each way. */
import type { Clock } from "../net/clock.ts";
import { messageOf } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import type { Logger } from "../net/log.ts";
import { acceptAll } from "./accept.ts";
import { closeQuietly, type Conn, readLine, writeLine } from "./lines.ts";
import { listen, removeIfAny } from "./listen.ts";
import { withPatience } from "./patience.ts";

export interface Service<R> {
  /** The mode of the socket file: whoever may write to it may ask. Its group, where it is left out. */
  readonly mode?: number | undefined;
  /** Connections at once; those beyond it are hung up on. 64, where it is left out. */
  readonly maxClients?: number | undefined;
  /** Bytes that a request may have. */
  readonly maxRequest: number;
  /** What a line of JSON asks for. Whoever sends what this throws at is hung up on. */
  readonly parse: (line: unknown) => R;
  /**
   * The answer; a rejection is told to the client in its own words. `gone` aborts when the client hangs up, and when the
   * server stops: nobody listens any more then, and whoever still waits for something gets no other answer.
   */
  readonly answer: (request: R, gone: AbortSignal) => Promise<Json>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Serves the socket until `signal` aborts; it listens by the time this returns its promise, which resolves when the last
 * answer is given. Throws at once as {@link listen} does.
 */
export function serve<R>(path: string, service: Service<R>): Promise<void> {
  const listener = listen(path, service.mode);
  service.signal.addEventListener("abort", () => listener.close(), { once: true });
  // Lines of many megabytes are read one at a time. What was read is bounded by how many are served at once.
  let turn: Promise<unknown> = Promise.resolve();
  const grow = async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = turn;
    turn = before.then(() => promise);
    await before;
    return resolve;
  };
  const serving = (conn: Deno.Conn) => serveOne(conn, service, grow);
  return acceptAll(listener, { ...service, serve: serving }).finally(() => removeIfAny(path));
}

async function serveOne<R>(
  conn: Deno.Conn,
  { maxRequest, parse, answer, clock, signal }: Service<R>,
  grow: () => Promise<() => void>,
): Promise<void> {
  // Whoever has not asked by the time the server stops does not hold it up; who has gets the answer.
  const hangUp = () => closeQuietly(conn);
  signal.addEventListener("abort", hangUp, { once: true });
  try {
    const line = await withPatience(conn, clock, () => readLine(conn, { limit: maxRequest, grow }));
    const request = parse(JSON.parse(line));
    signal.removeEventListener("abort", hangUp);
    const gone = AbortSignal.any([whenGone(conn), signal]);
    const result = await answer(request, gone).then(
      (value): Json => ({ ok: value }),
      (error): Json => ({ error: messageOf(error) }),
    );
    await withPatience(conn, clock, () => writeLine(conn, JSON.stringify(result)));
  } catch {
    // A client that sends nonsense, says nothing or goes away is its own problem.
  } finally {
    signal.removeEventListener("abort", hangUp);
    closeQuietly(conn);
  }
}

/** Aborts when the client hangs up, or sends what it has no reason to send. */
function whenGone(conn: Conn): AbortSignal {
  const gone = new AbortController();
  const end = () => gone.abort();
  conn.read(new Uint8Array(1)).then(end, end);
  return gone.signal;
}
