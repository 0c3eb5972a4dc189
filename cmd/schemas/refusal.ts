/** A lease that cannot be used, and why. */
import { object, text, word } from "./shapes.ts";

export const refusal = object({
  // What stands in the store may be no subnet at all.
  subnet: text,
  code: word("bad-endpoint", "bad-key"),
  reason: text,
});
