import { count, listing, node, nullable, object, oneOf, text, yesOrNo } from "./shapes.ts";

export const storeImport = listing("store-import", {
  description: "What an import did, or would do: flan store import.",
  fields: {
    planned: yesOrNo,
    create: count,
    same: count,
    skip: count,
    conflict: count,
    failed: count,
  },
  line: object({
    action: oneOf("create", "same", "skip", "conflict", "failed"),
    what: oneOf("config", "lease"),
    subnet: text,
    node: nullable(node),
    reason: nullable(text),
  }),
});
