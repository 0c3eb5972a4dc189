/**
 * The control socket: `agent.sock` in the run directory. One request a connection, one line of JSON each way.
 * Requests change nothing but `stop`; whoever may open the socket may ask.
 */
import { FlanError, invalid, messageOf } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import type { Clock } from "../net/clock.ts";
import type { Logger } from "../net/log.ts";
import { check, v } from "../net/schema.ts";
import { acceptAll } from "./accept.ts";

const request = v.strictObject({ op: v.picklist(["status", "network", "stop"]) });

export type Request = v.InferOutput<typeof request>;

/** Requests are tiny; an answer lists every peer at most. */
const MAX_REQUEST = 1024;
const MAX_ANSWER = 64 << 20;
const PATIENCE_MS = 5000;
/** sockaddr_un.sun_path holds 108 bytes with the NUL that ends it (unix(7)). */
const MAX_PATH = 107;

/**
 * Serves the socket until `signal` aborts; it listens by the time this returns its promise. A stale socket file
 * of a dead agent is replaced. Throws `invalid` at once where the path is too long, `failed` where nobody can
 * listen there.
 */
export function serveControl(
  path: string,
  { answer, clock, log, signal }: {
    answer: (request: Request) => Promise<Json>;
    clock: Clock;
    log: Logger;
    signal: AbortSignal;
  },
): Promise<void> {
  const listener = listen(path);
  signal.addEventListener("abort", () => listener.close(), { once: true });
  const serve = async (conn: Deno.Conn) => {
    const deadline = new AbortController();
    clock.sleep(PATIENCE_MS, deadline.signal).then(() => closeQuietly(conn));
    // Whoever has not asked by the time the agent stops does not hold it up; who has gets the answer.
    const hangUp = () => closeQuietly(conn);
    signal.addEventListener("abort", hangUp, { once: true });
    try {
      const line = await readLine(conn, MAX_REQUEST);
      signal.removeEventListener("abort", hangUp);
      const result = await answer(check(request, JSON.parse(line), "the request")).then(
        (value): Json => ({ ok: value }),
        (error): Json => ({ error: messageOf(error) }),
      );
      await writeAll(conn, `${JSON.stringify(result)}\n`);
    } catch {
      // A client that sends nonsense, says nothing or goes away is its own problem.
    } finally {
      deadline.abort();
      signal.removeEventListener("abort", hangUp);
      closeQuietly(conn);
    }
  };
  return acceptAll(listener, { serve, clock, log, signal }).finally(() => removeIfAny(path));
}

function listen(path: string): Deno.Listener {
  const bytes = new TextEncoder().encode(path).length;
  if (bytes > MAX_PATH) {
    throw invalid(
      "control",
      `Cannot listen on ${path}: a socket's path has ${MAX_PATH} bytes at most, this one has ${bytes}`,
      "name a shorter directory with --run-dir",
    );
  }
  try {
    removeIfAny(path);
    const listener = Deno.listen({ transport: "unix", path });
    Deno.chmodSync(path, 0o660);
    return listener;
  } catch (error) {
    throw new FlanError(`Cannot listen on ${path}: ${messageOf(error)}`, {
      op: "control",
      code: error instanceof Deno.errors.PermissionDenied ? "not-permitted" : "failed",
      cause: error,
    });
  }
}

/**
 * Asks the agent behind `path`. Resolves to undefined where none listens, to null for what one does not know yet that
 * is still joining. Throws FlanError `timeout`,
 * `not-permitted`, or `failed` with the agent's own words.
 */
export async function askAgent(
  path: string,
  { op, clock }: { op: Request["op"]; clock: Clock },
): Promise<Json | undefined> {
  let conn: Deno.Conn;
  try {
    conn = await Deno.connect({ transport: "unix", path });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused) {
      return undefined;
    }
    const code = error instanceof Deno.errors.PermissionDenied ? "not-permitted" : "failed";
    throw new FlanError(`Cannot ask the agent at ${path}: ${messageOf(error)}`, {
      op: "control",
      code,
      cause: error,
    });
  }
  const done = new AbortController();
  let late = false;
  clock.sleep(2 * PATIENCE_MS, done.signal).then(() => {
    late = !done.signal.aborted;
    closeQuietly(conn);
  });
  try {
    await writeAll(conn, `${JSON.stringify({ op })}\n`);
    const answer = JSON.parse(await readLine(conn, MAX_ANSWER)) as { ok?: Json; error?: string };
    if (answer.ok === undefined) {
      throw new FlanError(`The agent at ${path} refused: ${answer.error}`, { op: "control", code: "failed" });
    }
    return answer.ok;
  } catch (error) {
    if (error instanceof FlanError) throw error;
    if (late) throw new FlanError(`The agent at ${path} does not answer`, { op: "control", code: "timeout" });
    throw new FlanError(`Cannot read the answer of the agent at ${path}: ${messageOf(error)}`, {
      op: "control",
      code: "failed",
      cause: error,
    });
  } finally {
    done.abort();
  }
}

async function readLine(conn: Deno.Conn, limit: number): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const chunk = new Uint8Array(64 * 1024);
  let text = "";
  while (!text.includes("\n")) {
    const read = await conn.read(chunk);
    if (read === null) throw new TypeError("the connection ended");
    text += decoder.decode(chunk.subarray(0, read), { stream: true });
    if (text.length > limit) throw new TypeError(`more than ${limit} characters came`);
  }
  return text.slice(0, text.indexOf("\n"));
}

async function writeAll(conn: Deno.Conn, text: string): Promise<void> {
  let rest: Uint8Array = new TextEncoder().encode(text);
  while (rest.length > 0) rest = rest.subarray(await conn.write(rest));
}

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch { /* it is closed already */ }
}

function removeIfAny(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
