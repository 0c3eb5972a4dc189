import { about, address, anything, count, document, mapOf, node, object, oneOf } from "./shapes.ts";

const seconds = about("seconds since 1970", count);

export const network = document("network", {
  description: "A whole network: the document of a file or HTTP store, and of flan store export.",
  fields: {
    revision: count,
    leases: about(
      "by key, such as 10.5.1.0-24",
      mapOf(object({ revision: count, value: about("flannel's lease", anything) }, {
        expires: about("none for a reservation; seconds since 1970", count),
        node,
        reservedIp: address,
        otherPlanes: about(
          "by what else the host can be reached while the network changes its backend",
          anything,
        ),
      })),
    ),
    past: about("leases that ended", mapOf(object({ how: oneOf("released", "expired"), ended: seconds }))),
  },
  optional: { config: object({ revision: count, value: about("flannel's network config", anything) }) },
});
