import { about, address, count, document, mapOf, node, object, text, yesOrNo } from "./shapes.ts";

export const joined = document("joined", {
  description: "What a host has joined with: joined.json in its run directory.",
  fields: { pid: count, settings: mapOf(text), found: mapOf(text) },
  optional: {
    node,
    device: text,
    underlay: about("what carries the overlay", object({ link: text, address }, { address6: address })),
    once: about("whether no agent was to stay", yesOrNo),
  },
});
