/** How long a short command takes from start to exit. */
import type { Lab } from "../../cmd/demo/lab.ts";
import { flanCommand } from "../../cmd/self.ts";
import { run } from "../../cmd/demo/shell.ts";

export interface Startup {
  readonly command: string;
  /** Milliseconds. */
  readonly best: number;
  readonly median: number;
}

const ROUNDS = 15;

/**
 * `flan --help` needs no host; the other commands run on a host that has joined. Throws where one ends with another
 * code than one of `codes`.
 */
export async function startup(
  lab: Lab,
  args: readonly string[],
  { codes = [0] }: { codes?: readonly number[] } = {},
): Promise<Startup> {
  const host = lab.hosts[0]!;
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const begun = performance.now();
    const { code, stderr } = args[0] === "--help" ? await run(flanCommand(args)) : await lab.flan(host, args);
    if (!codes.includes(code)) throw new Error(stderr);
    times.push(performance.now() - begun);
  }
  times.sort((a, b) => a - b);
  return {
    command: `flan ${args.join(" ")}`,
    best: Math.round(times[0]!),
    median: Math.round(times[ROUNDS >> 1]!),
  };
}
