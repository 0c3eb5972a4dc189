import { about, document, list, object, oneOf, text, word } from "./shapes.ts";

const key = about("what makes it the same object in the kernel's eyes", text);

export const routesRepair = document("routes-repair", {
  description: "What was put back, and what was not: flan routes repair.",
  fields: {
    by: oneOf("agent", "command"),
    done: list(object({ did: oneOf("added", "changed", "removed"), key, object: text })),
    left: list(
      object({
        key,
        object: text,
        code: word("kernel-refuses", "foreign-route", "foreign-link", "underlay-missing"),
        why: text,
      }),
    ),
  },
});
