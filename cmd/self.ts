/** How flan starts itself: for `--detach`, for the proxies of backend udp, and for the hosts of `flan demo`. */
import { programFile } from "../net/own_files.ts";

/**
 * The Deno that runs this, asked at the start: once an upgrade has put another file there, the kernel tells the path
 * with ` (deleted)` behind it (proc_pid_exe(5)).
 */
export const denoFile: string = Deno.execPath();

/** Path of the program that this flan is. */
export const mainFile: string = programFile("main.ts");

/** Program and arguments that run flan with `args` under the same Deno. */
export function flanCommand(args: readonly string[]): [string, ...string[]] {
  return [denoFile, "run", "--quiet", "--allow-all", mainFile, ...args];
}
