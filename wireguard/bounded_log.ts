/** The log of a program that runs for years, on a file system that is memory. */

/** Bytes; what was written before says nothing any more by then. */
export const MAX_LOG = 1 << 20;

/** Empties the log where it has grown beyond {@link MAX_LOG}. It is written at its end, wherever that is (O_APPEND). */
export function boundLog(path: string): void {
  try {
    if (Deno.statSync(path).size > MAX_LOG) Deno.truncateSync(path);
  } catch (error) {
    // There may be none yet, and who may only look leaves it to the agent.
    const isOthers = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied;
    if (!isOthers) throw error;
  }
}
