/** Somebody else's object where one of flan's should stand. */
import { object, text, word } from "./shapes.ts";

export const conflict = object({
  code: word("foreign-route", "foreign-link"),
  wanted: text,
  found: text,
});
