import { refusal } from "./refusal.ts";
import { about, count, listing, yesOrNo } from "./shapes.ts";

export const leaseGc = listing("lease-gc", {
  description: "Records that stay for ever and that nobody can read: flan lease gc.",
  fields: {
    dryRun: yesOrNo,
    removed: about("whether the items were removed, or only found", yesOrNo),
    forgotten: about("leases that ended long ago", count),
  },
  line: refusal,
});
