/** Starts a proxy as a process that outlives its starter: in a session of its own, with a log file for all it says. */
import { closeQuietly, type Conn, readLine } from "../control/lines.ts";
import type { Clock } from "../net/clock.ts";
import { FlanError, messageOf, systemReason } from "../net/errors.ts";
import { check, v } from "../net/schema.ts";

/** A proxy serves its socket in a fraction of this time. */
const START_MS = 10_000;
const MAX_NEWS = 16 * 1024;

/** Where a proxy that was started so tells that it can be asked; nothing else of it has a reader. */
const NEWS = "/proc/self/fd/3";

const news = v.object({
  started: v.boolean(),
  error: v.optional(v.object({
    message: v.string(),
    code: v.fallback(v.picklist(["failed", "invalid", "not-permitted", "unsupported"]), "failed"),
    hint: v.optional(v.string()),
  })),
});

/**
 * Runs `command`, which must call {@link tellStarted}, and resolves when it has. Throws what keeps it from starting, or
 * `failed` where it does not say.
 */
export async function startProxy(
  command: readonly string[],
  { logFile, clock }: { logFile: string; clock: Clock },
): Promise<void> {
  requireLog(logFile);
  // Only a shell can hand a file on. The process writes to no pipe but once, so that none can break under it.
  const script = 'log=$1; shift; exec 3>&1 >>"$log" 2>&1; exec "$@"';
  const child = new Deno.Command("sh", {
    args: ["-c", script, "sh", logFile, ...command],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    detached: true,
  }).spawn();
  child.unref();
  const done = new AbortController();
  let late = false;
  clock.sleep(START_MS, done.signal).then(() => {
    late = !done.signal.aborted;
    if (late) end(child);
  });
  const pipe = connOf(child.stdout);
  try {
    const { error } = check(
      news,
      JSON.parse(await readLine(pipe, { limit: MAX_NEWS })),
      "what the UDP proxy says",
    );
    if (error === undefined) return;
    throw new FlanError(error.message, {
      op: "proxy.start",
      code: error.code,
      hint: error.hint,
    });
  } catch (error) {
    if (error instanceof FlanError && error.op === "proxy.start") throw error;
    const why = late ? `it does not start within ${START_MS / 1000} s` : "it ended before it could be asked";
    throw new FlanError(why, {
      op: "proxy.start",
      code: late ? "timeout" : "failed",
      cause: error,
      hint: `see ${logFile}`,
    });
  } finally {
    done.abort();
    closeQuietly(pipe);
  }
}

/** Throws `failed` or `not-permitted` where nothing could be written there: the shell's own words have no reader. */
function requireLog(logFile: string): void {
  try {
    Deno.openSync(logFile, { append: true, create: true, mode: 0o644 }).close();
  } catch (error) {
    throw new FlanError(`its log ${logFile} cannot be opened: ${systemReason(error)}`, {
      op: "proxy.start",
      code: error instanceof Deno.errors.PermissionDenied ? "not-permitted" : "failed",
      cause: error,
    });
  }
}

/** Tells the starter that the proxy can be asked or, with an error, that it ends. */
export function tellStarted(error?: unknown): void {
  const text = error === undefined ? { started: true } : { started: false, error: plain(error) };
  try {
    using pipe = Deno.openSync(NEWS, { write: true });
    pipe.writeSync(new TextEncoder().encode(`${JSON.stringify(text)}\n`));
  } catch {
    // The starter was interrupted. The proxy is there all the same, for the next one.
  }
}

function plain(error: unknown): { message: string; code: string; hint?: string | undefined } {
  return error instanceof FlanError
    ? { message: error.message, code: error.code, hint: error.hint }
    : { message: messageOf(error), code: "failed" };
}

function end(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch { /* it has ended already */ }
}

/** The pipe of a child as a connection that nobody writes to. */
function connOf(stream: ReadableStream<Uint8Array>): Conn {
  const reader = stream.getReader();
  return {
    read: async (into) => {
      const { value, done } = await reader.read();
      if (done) return null;
      into.set(value.subarray(0, into.length));
      return Math.min(value.length, into.length);
    },
    write: () => Promise.reject(new TypeError("it is not written to")),
    close: () => void reader.cancel().catch(() => {}),
  };
}
