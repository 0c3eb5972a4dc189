/** The one way to stdout. */
import { FlanError, systemReason } from "../net/errors.ts";

/**
 * Writes all of `text` to stdout. Throws BrokenPipe where nobody reads any more, which is no error of anybody's, and
 * `failed` where it cannot be written (disk full).
 */
export function writeOut(text: string): void {
  let rest: Uint8Array = new TextEncoder().encode(text);
  try {
    while (rest.length > 0) rest = rest.subarray(Deno.stdout.writeSync(rest));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw error;
    throw new FlanError(`Cannot write to stdout: ${systemReason(error)}`, {
      op: "cli.print",
      code: "failed",
      cause: error,
    });
  }
}
