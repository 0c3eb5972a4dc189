/** What a check found, the worst first. */
import { about, nullable, object, oneOf, text, word } from "./shapes.ts";

export const finding = object({
  code: word("no-network", "bad-endpoint"),
  severity: oneOf("warning", "high"),
  message: text,
  hint: about("what helps", nullable(text)),
}, { subnet: text });
