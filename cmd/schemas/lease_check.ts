import { finding } from "./findings.ts";
import { count, listing } from "./shapes.ts";

export const leaseCheck = listing("lease-check", {
  description: "What is wrong with the leases: flan lease check.",
  fields: { leases: count, revision: count },
  line: finding,
});
