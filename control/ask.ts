/** Asks a process of flan over its unix socket. */
import type { Clock } from "../net/clock.ts";
import { FlanError, messageOf } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import { closeQuietly, readLine, writeLine } from "./lines.ts";

/** An answer lists every peer at most. */
const MAX_ANSWER = 64 << 20;

export interface Question {
  readonly request: Json;
  /** Who is asked, as an error names it: `the agent`. */
  readonly who: string;
  readonly clock: Clock;
  /** Milliseconds until the answer must be there; none for a question that may take for ever. */
  readonly within?: number | undefined;
  /** What helps against one that does not answer in time. */
  readonly hint?: string | undefined;
  /** Hangs up, which is an error. */
  readonly signal?: AbortSignal | undefined;
}

/** The `op` of what could not even be asked, for a reason of the asker's own. */
const NOT_ASKED = "control.connect";
/** The `op` of what was answered with a no. */
const REFUSED = "control.refused";

/**
 * Resolves to undefined where nobody listens at `path`. Throws FlanError `timeout`, `not-permitted`, or `failed`
 * with the other's own words.
 */
export async function ask(path: string, question: Question): Promise<Json | undefined> {
  const { request, who, clock, within, signal } = question;
  const conn = await connect(path, question);
  if (conn === undefined) return undefined;
  const done = new AbortController();
  let late = false;
  if (within !== undefined) {
    clock.sleep(within, done.signal).then(() => {
      if (done.signal.aborted) return;
      late = true;
      closeQuietly(conn);
    });
  }
  const hangUp = () => closeQuietly(conn);
  signal?.addEventListener("abort", hangUp, { once: true });
  if (signal?.aborted) hangUp();
  try {
    await writeLine(conn, JSON.stringify(request));
    return judge(JSON.parse(await readLine(conn, { limit: MAX_ANSWER })), { path, who });
  } catch (error) {
    if (error instanceof FlanError) throw error;
    if (late) throw silent(path, question);
    throw failed(`Cannot read the answer of ${who} at ${path}: ${messageOf(error)}`, "failed", {
      cause: error,
    });
  } finally {
    done.abort();
    signal?.removeEventListener("abort", hangUp);
    closeQuietly(conn);
  }
}

async function connect(path: string, question: Question): Promise<Deno.Conn | undefined> {
  const { who } = question;
  try {
    return await Deno.connect({ transport: "unix", path });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused) {
      return undefined;
    }
    // EAGAIN: so many wait already that no more are let in (unix(7)).
    if (error instanceof Deno.errors.WouldBlock) throw silent(path, question);
    const code = error instanceof Deno.errors.PermissionDenied ? "not-permitted" : "failed";
    // Whoever listened there ends just now.
    const op = error instanceof Deno.errors.ConnectionReset ? {} : { op: NOT_ASKED };
    const hint = code === "not-permitted" ? "run as root" : undefined;
    throw failed(`Cannot ask ${who} at ${path}: ${messageOf(error)}`, code, { cause: error, hint, ...op });
  }
}

function judge(
  answer: { ok?: Json; error?: unknown } | null,
  { path, who }: { path: string; who: string },
): Json {
  if (answer?.ok !== undefined) return answer.ok;
  throw failed(`${capital(who)} at ${path} refused: ${answer?.error}`, "failed", { op: REFUSED });
}

/** Whether an error of {@link ask} is the other's own no, and not the lack of an answer. */
export function isRefusal(error: unknown): boolean {
  return error instanceof FlanError && error.op === REFUSED;
}

/** Whether an error of {@link ask} says that somebody listens who gives no answer, or none that can be read. */
export function isMute(error: unknown): boolean {
  if (!(error instanceof FlanError) || error.op === NOT_ASKED || isRefusal(error)) return false;
  return error.code === "timeout" || error.code === "failed";
}

function silent(path: string, { who, hint }: Question): FlanError {
  return failed(`${capital(who)} at ${path} does not answer`, "timeout", { hint });
}

function failed(
  message: string,
  code: "failed" | "timeout" | "not-permitted",
  more: { cause?: unknown; hint?: string | undefined; op?: string } = {},
): FlanError {
  return new FlanError(message, { op: "control", code, ...more });
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
