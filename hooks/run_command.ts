/** Runs one of a network's commands: by a shell, with a time limit, and with all that it starts. */
import { readBounded } from "../net/bounded_stream.ts";
import type { Clock } from "../net/clock.ts";
import { FlanError, systemReason } from "../net/errors.ts";
import { quoted } from "../net/text.ts";

/** A command that has not ended after this time is killed, with its process group. */
export const LIMIT_MS = 10_000;

/** After this time what a command that has ended left in its pipes is read; a daemon of its may hold them open. */
const AFTER_MS = 500;

/** Of what it says, more is read and dropped. */
const MAX_OUTPUT = 64 * 1024;

export interface HookCommand {
  readonly command: string;
  /** Beside the environment of this process. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
  readonly clock: Clock;
  /** What it is for, as a clause after "Cannot": `set up 10.5.2.0/24`. */
  readonly purpose: string;
}

/** Resolves to what the command said on stdout, trimmed. Throws `failed` with the end of what it said on stderr. */
export async function runCommand({ command, env, stdin, clock, purpose }: HookCommand): Promise<string> {
  const fail = (why: string, cause?: unknown) =>
    new FlanError(`Cannot ${purpose}: ${why}`, { op: "hook.run", code: "failed", cause });
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("sh", {
      args: ["-c", command],
      env: { ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      detached: true,
    }).spawn();
  } catch (error) {
    throw fail(`the shell cannot be started: ${systemReason(error)}`, error);
  }
  const ended = new AbortController();
  let late = false;
  const limit = clock.sleep(LIMIT_MS, ended.signal).then(() => {
    late = !ended.signal.aborted;
    if (late) killGroup(child.pid);
  });
  const cut = new AbortController();
  const output = Promise.all([
    readBounded(child.stdout, MAX_OUTPUT, cut),
    readBounded(child.stderr, MAX_OUTPUT, cut),
  ]);
  const talk = Promise.all([output, tell(child.stdin, stdin)]);
  talk.catch(() => {}); // awaited below
  const status = await child.status;
  ended.abort();
  await limit;
  // A daemon that it left behind may hold its ends of the pipes for ever, out of reach of its process group.
  await Promise.race([talk, clock.sleep(AFTER_MS, cut.signal)]).finally(() => cut.abort());
  const [said, complaint] = await output;
  if (late) throw fail(`it took more than ${LIMIT_MS / 1000} s and was killed: ${quoted(command)}`);
  if (status.success) return said.text.trim();
  const last = complaint.text.trim().split("\n").at(-1)!;
  const how = status.signal === null ? `exit code ${status.code}` : `it was ended by ${status.signal}`;
  throw fail(`${how} of ${quoted(command)}${last === "" ? "" : `: ${quoted(last)}`}`);
}

async function tell(pipe: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = pipe.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch (error) {
    // It need not read what it is told.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
