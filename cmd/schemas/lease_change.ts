import { dualStack, leaseFields } from "./lease_fields.ts";
import { about, document, nullable, object, text, word } from "./shapes.ts";

export const leaseChange = document("lease-change", {
  description: "What a command did to a subnet: flan lease release, reserve, unreserve and revoke.",
  fields: {
    subnet: text,
    change: word("reserved", "kept", "removed", "leased", "released", "revoked", "same"),
    lease: about("what stands there now", nullable(object(leaseFields, dualStack))),
  },
});
