/** The unix socket that a process of flan is asked over. */
import { FlanError, invalid, messageOf } from "../net/errors.ts";

/** sockaddr_un.sun_path holds 108 bytes with the NUL that ends it (unix(7)). */
const MAX_PATH = 107;

/**
 * Listens at `path`, in place of the socket file that a dead process left; whom `mode`
 * lets write may ask, which is the group, too, where it is left out. Throws `invalid` where
 * the path is too long, `failed` or `not-permitted` where nobody can listen there.
 */
export function listen(path: string, mode = 0o660): Deno.Listener {
  const bytes = new TextEncoder().encode(path).length;
  if (bytes > MAX_PATH) {
    throw invalid(
      "control",
      `Cannot listen on ${path}: a socket's path has ${MAX_PATH} bytes at most, this one has ${bytes}`,
      "name a shorter directory with --run-dir",
    );
  }
  try {
    removeIfAny(path);
    const listener = Deno.listen({ transport: "unix", path });
    Deno.chmodSync(path, mode);
    return listener;
  } catch (error) {
    throw new FlanError(`Cannot listen on ${path}: ${messageOf(error)}`, {
      op: "control",
      code: error instanceof Deno.errors.PermissionDenied ? "not-permitted" : "failed",
      cause: error,
    });
  }
}

export function removeIfAny(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
