/** Runs one part of `deno task test` to its end, and counts what `deno test` says then. */
import type { Tell } from "./beside.ts";
import { writeGroups } from "./groups.ts";
import type { Part } from "./parts.ts";

/** A part that hangs is a failure, and must not keep the others from being told. A busy machine takes its time. */
const PATIENCE_MS = 900_000;

export interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/** What is to be taken away when somebody interrupts it: process groups, by the first process, and folders. */
const groups = new Set<number>();
const folders = new Set<string>();

/** Hands this signal on to all that runs, and removes what was made for it. */
export function interrupt(signal: Deno.Signal): void {
  for (const group of groups) killGroup(group, signal);
  for (const folder of folders) remove(folder);
}

/** Hands the output on as it comes. After `patience` milliseconds all processes of the part are killed. */
export async function runPart(
  part: Part,
  { tell, patience = PATIENCE_MS }: { tell: Tell; patience?: number },
): Promise<Count> {
  tell(`\n== ${part.name}\n`);
  if (part.grouped === undefined) return await runProgram(part, { files: [], tell, patience });
  const into = Deno.makeTempDirSync({ prefix: "flan-test-groups-" });
  folders.add(into);
  try {
    const files = writeGroups(part.grouped, { name: part.name, into });
    return await runProgram(part, { files, tell, patience });
  } finally {
    remove(into);
  }
}

async function runProgram(
  { within, args }: Part,
  { files, tell, patience }: { files: readonly string[]; tell: Tell; patience: number },
): Promise<Count> {
  // stderr goes the way of stdout, so that they keep their order.
  const argv = ["-c", 'exec "$@" 2>&1', "sh", ...within, Deno.execPath(), ...args, ...files];
  const child = new Deno.Command("sh", {
    args: argv,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    env: { NO_COLOR: "1" },
    // The first of a process group, so that what it starts can be ended with it.
    detached: true,
  }).spawn();
  groups.add(child.pid);
  const late = AbortSignal.timeout(patience);
  const tooLate = () => {
    tell(`\nkilled after ${patience / 1000} s\n`);
    killGroup(child.pid, "SIGKILL");
  };
  late.addEventListener("abort", tooLate);
  try {
    let text = "";
    for await (
      const chunk of child.stdout.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
    ) {
      text += chunk;
      tell(chunk);
    }
    const { code } = await child.status;
    return counted(text, code);
  } finally {
    late.removeEventListener("abort", tooLate);
    groups.delete(child.pid);
  }
}

/** A part that fails without a count (formatting, types, a crash) is one failure; a check that passes is one test. */
function counted(text: string, code: number): Count {
  const count = countIn(text);
  if (count === undefined) return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
  return code !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count;
}

/** Reads `ok | 5 passed (2 steps) | 0 failed | 1 ignored (69ms)`. */
function countIn(text: string): Count | undefined {
  const line = text.split("\n").findLast((one) => /^(ok|FAILED) \| \d+ passed/.test(one));
  if (line === undefined) return undefined;
  const number = (word: string) => Number(new RegExp(`(\\d+) ${word}`).exec(line)?.[1] ?? 0);
  return { passed: number("passed"), failed: number("failed"), skipped: number("ignored") };
}

function killGroup(group: number, signal: Deno.Signal): void {
  try {
    Deno.kill(-group, signal);
  } catch (error) {
    // It has ended meanwhile.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function remove(folder: string): void {
  // Once: an interrupted part comes to its own end, too.
  if (folders.delete(folder)) Deno.removeSync(folder, { recursive: true });
}
