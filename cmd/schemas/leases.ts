import { dualNetwork, dualStack, leaseFields, state } from "./lease_fields.ts";
import { refusal } from "./refusal.ts";
import { count, listing, object, oneOf, subnet, text } from "./shapes.ts";

export const leases = listing("leases", {
  description: "Every lease of the network: flan lease list.",
  fields: { network: subnet, revision: count },
  optional: dualNetwork,
  line: {
    anyOf: [
      object({ ...leaseFields, state, refused: { type: "null" } }, dualStack),
      object({ subnet: text, state: oneOf("refused"), refused: refusal }),
    ],
  },
});
