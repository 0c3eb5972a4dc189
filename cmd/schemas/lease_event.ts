import { dualStack, leaseFields, state } from "./lease_fields.ts";
import { document, object, oneOf } from "./shapes.ts";

export const leaseEvent = document("lease-event", {
  description: "A lease that came, changed or went; one on each line: flan lease watch.",
  fields: {
    event: oneOf("added", "changed", "removed"),
    lease: object({ ...leaseFields, state }, dualStack),
  },
});
