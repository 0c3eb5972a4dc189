import { finding } from "./findings.ts";
import { about, count, listing, text } from "./shapes.ts";

export const storeCheck = listing("store-check", {
  description: "What is wrong with the store and with what stands in it: flan store check.",
  fields: { store: text, revision: count, leases: count, past: about("leases that ended", count) },
  line: finding,
});
