/** Looks at something of this host that may be hidden, or be other than expected: then that is what is known of it. */
import type { Seen } from "../../doctor/facts.ts";
import { FlanError, systemReason } from "../../net/errors.ts";

/** What `look` returns, or why it could not: a FlanError, an error of the system's, or a TypeError for no text. */
export function seeing<T>(look: () => T): Seen<T> {
  try {
    return { seen: look() };
  } catch (error) {
    if (!isOfTheHost(error)) throw error;
    return { unseen: systemReason(error) };
  }
}

function isOfTheHost(error: unknown): boolean {
  return error instanceof FlanError || error instanceof TypeError ||
    (error instanceof Error && /\(os error \d+\)/.test(error.message));
}
