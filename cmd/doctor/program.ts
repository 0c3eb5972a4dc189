/** Runs the programs that the doctor asks: with a time limit, and of what they print no more than is wanted. */
import { type BoundedText, readBounded } from "../../net/bounded_stream.ts";

export interface ProgramLimits {
  /** After this time it is ended. */
  readonly seconds: number;
  /** Bytes of its standard output that are kept. */
  readonly output: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface ProgramOutput {
  /** 124 where it took too long, 127 where it is not installed (timeout(1)). */
  readonly code: number;
  readonly stdout: BoundedText;
  /** The beginning of what it complained. */
  readonly stderr: BoundedText;
}

const MAX_COMPLAINTS = 4096;

/** Throws Deno.errors.NotFound where timeout (coreutils) is not installed. */
export async function runProgram(
  argv: readonly string[],
  { seconds, output, env = {} }: ProgramLimits,
): Promise<ProgramOutput> {
  // coreutils' timeout ends what hangs; a clock of our own would have to end a process that may be stuck.
  const child = new Deno.Command("timeout", {
    args: [String(seconds), ...argv],
    env: { ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [stdout, stderr, { code }] = await Promise.all([
    readBounded(child.stdout, output),
    readBounded(child.stderr, MAX_COMPLAINTS),
    child.status,
  ]);
  return { code, stdout, stderr };
}
