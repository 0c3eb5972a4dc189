/** How flan starts itself: for `--detach`, and for the hosts of `flan demo`. */

/** Path of `main.ts`. */
export const mainFile = decodeURIComponent(new URL(import.meta.resolve("../main.ts")).pathname);

/** Program and arguments that run flan with `args` under the same Deno. */
export function flanCommand(args: readonly string[]): [string, ...string[]] {
  return [Deno.execPath(), "run", "--quiet", "--allow-all", mainFile, ...args];
}
