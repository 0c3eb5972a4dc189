/** This host's files and programs as the doctor reads them: bounded, and nothing is changed. */
import { type ProcFiles, procLinks } from "../../control/socket_holders.ts";
import { readTextFile } from "../text_file.ts";
import { runProgram } from "./program.ts";

export interface System extends ProcFiles {
  /** Whether this process has CAP_NET_ADMIN. */
  readonly isAdmin: boolean;
  /** The text of a file, undefined where there is none. Throws what Deno throws, and TypeError for a large file. */
  text(path: string): string | undefined;
  /** Whether a file that exists can be written; says why not. A file that is not there is no reason. */
  unwritable(path: string): string | undefined;
  /** What a program prints, undefined where it is not installed, fails or takes longer than five seconds, or prints too much. */
  output(argv: readonly [string, ...string[]]): Promise<string | undefined>;
}

/** Largest output of a program, bytes: some 50,000 rules of a packet filter. */
const MAX_OUTPUT = 16 << 20;
const PATIENCE_SECONDS = 5;

export function thisSystem(isAdmin: boolean): System {
  return {
    isAdmin,
    text(path) {
      try {
        return readTextFile(path);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }
    },
    ...procLinks,
    unwritable(path) {
      try {
        Deno.openSync(path, { write: true }).close();
        return undefined;
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        return error instanceof Error ? error.message.replace(/: \w+ '.*'$/s, "") : String(error);
      }
    },
    output: (argv) => output(argv),
  };
}

/** The same system, of which each program is asked the same only once. */
export function askedOnce(system: System): System {
  const answers = new Map<string, Promise<string | undefined>>();
  return {
    ...system,
    output(argv) {
      const question = argv.join("\0");
      const answer = answers.get(question) ?? system.output(argv);
      answers.set(question, answer);
      return answer;
    },
  };
}

async function output(argv: readonly [string, ...string[]]): Promise<string | undefined> {
  try {
    const { code, stdout } = await runProgram(argv, { seconds: PATIENCE_SECONDS, output: MAX_OUTPUT });
    return code === 0 && stdout.length <= MAX_OUTPUT ? stdout.text : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
