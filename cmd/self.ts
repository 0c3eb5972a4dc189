/** How flan starts itself: for `--detach`, and for the hosts of `flan demo`. */
import { programFile } from "../net/own_files.ts";

/** Path of the program that this flan is. */
export const mainFile: string = programFile("main.ts");

/** Program and arguments that run flan with `args` under the same Deno. */
export function flanCommand(args: readonly string[]): [string, ...string[]] {
  return [Deno.execPath(), "run", "--quiet", "--allow-all", mainFile, ...args];
}
