/** What a short command takes from start to exit. */
import type { Lab, LabHost } from "../../cmd/demo/lab.ts";
import { run } from "../../cmd/demo/shell.ts";
import type { Installed } from "../lib/installed.ts";
import { median } from "./statistics.ts";
import { timed, type Times, timesIn } from "./timed.ts";

export interface Startup {
  readonly command: string;
  /** Milliseconds until it had ended. */
  readonly wall: Figures;
  /** Milliseconds of processor time, which other work on the machine makes less of a difference to. */
  readonly cpu: Figures;
}

export interface Figures {
  readonly best: number;
  readonly median: number;
}

const ROUNDS = 5;

/**
 * Of an installed flan. `flan --help` needs no host; the other commands run on a host that has joined. Throws where
 * one ends with another code than one of `codes`.
 */
export async function startup(
  lab: Lab,
  args: readonly string[],
  { installed, codes = [0] }: { installed: Installed; codes?: readonly number[] },
): Promise<Startup> {
  const [joined] = lab.hosts as [LabHost];
  const host = { ...joined, env: { ...joined.env, ...installed.env } };
  const command = timed([installed.flan, ...args]);
  const times: Times[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const { code, stderr } = args[0] === "--help"
      ? await run(command, installed.env)
      : await lab.on(host, command);
    if (!codes.includes(code)) throw new Error(stderr);
    times.push(timesIn(stderr));
  }
  return {
    command: `flan ${args.join(" ")}`,
    wall: figures(times.map(({ real }) => real)),
    cpu: figures(times.map(({ user, system }) => user + system)),
  };
}

/** The columns of {@link cells}. */
export const columns = ["BEST", "MEDIAN", "CPU BEST", "CPU MEDIAN"] as const;

/** What was found, for a table. */
export function cells({ wall, cpu }: Startup): string[] {
  return [wall.best, wall.median, cpu.best, cpu.median].map((value) => `${value} ms`);
}

function figures(seconds: readonly number[]): Figures {
  return { best: Math.round(Math.min(...seconds) * 1000), median: Math.round(median(seconds) * 1000) };
}
