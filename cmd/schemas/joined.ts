import { about, count, document, mapOf, node, text, yesOrNo } from "./shapes.ts";

export const joined = document("joined", {
  description: "What a host has joined with: joined.json in its run directory.",
  fields: { pid: count, settings: mapOf(text), found: mapOf(text) },
  optional: { node, device: text, once: about("whether no agent was to stay", yesOrNo) },
});
