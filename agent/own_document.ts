/** flan's own small JSON documents on this host: read whole and checked, or not at all. */
import { FlanError, invalid, systemReason } from "../net/errors.ts";
import { check, type v } from "../net/schema.ts";

/** Most of them need no tenth of this. */
const MAX_BYTES = 64 * 1024;

/**
 * The document in `file`, or undefined where there is none. Throws `not-permitted` or `failed` where it cannot
 * be read, and `invalid` with `hint` (what to do about a damaged one) where it is not what `schema` says.
 */
export function readOwnDocument<T extends v.GenericSchema>(
  file: string,
  { schema, hint, most = MAX_BYTES }: { schema: T; hint: string; most?: number },
): v.InferOutput<T> | undefined {
  try {
    const { size } = Deno.statSync(file);
    if (size > most) throw new TypeError(`it is larger than ${most} bytes`);
    return check(schema, JSON.parse(Deno.readTextFileSync(file)), file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof FlanError) throw invalid("own.document", error.message, hint);
    if (error instanceof TypeError || error instanceof SyntaxError) {
      throw invalid("own.document", `Cannot use ${file}: ${error.message}`, hint);
    }
    throw unreadable(file, error);
  }
}

function unreadable(file: string, cause: unknown): FlanError {
  const denied = cause instanceof Deno.errors.PermissionDenied;
  return new FlanError(`Cannot read ${file}: ${systemReason(cause)}`, {
    op: "own.document",
    code: denied ? "not-permitted" : "failed",
    cause,
    hint: denied ? "run as root" : undefined,
  });
}
