import { conflict } from "./conflict.ts";
import { about, document, list, nullable, object, oneOf, text, yesOrNo } from "./shapes.ts";

export const routesDiff = document("routes-diff", {
  description: "What the kernel lacks and has too much: flan routes diff.",
  fields: {
    clean: about("whether there are neither changes nor conflicts", yesOrNo),
    changes: list(object({
      change: oneOf("missing", "wrong", "stray"),
      object: text,
      differences: about("what of a wrong one is another than planned", nullable(text)),
    })),
    conflicts: list(conflict),
  },
});
