import { count, document, mapOf, node, text } from "./shapes.ts";

export const joined = document("joined", {
  description: "What a host has joined with: joined.json in its run directory.",
  fields: { pid: count, settings: mapOf(text), found: mapOf(text) },
  optional: { node, device: text },
});
