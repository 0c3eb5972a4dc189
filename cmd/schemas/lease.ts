import { leaseFields, ownDual, ownFields, state } from "./lease_fields.ts";
import { document, object, subnet } from "./shapes.ts";

const { network: _, ...extra } = ownFields;
const optional = { ...extra, ...ownDual, state, refused: { type: "null" } };

export const lease = document("lease", {
  description: "One lease: flan up, flan lease get, acquire and renew. gateway, device, mtu and ipMasq are " +
    "there where it is this host's.",
  fields: { ...leaseFields, network: subnet },
  optional,
  line: object({ ...leaseFields, network: subnet }, optional),
});
