import { document, list, mapOf, node, subnet, text } from "./shapes.ts";

export const host = document("host", {
  description: "The identity of a host: host.json in its state directory.",
  fields: { node, macs: mapOf({ type: "string", pattern: "^([0-9a-f]{2}:){5}[0-9a-f]{2}$" }) },
  optional: { previous: subnet, previous6: subnet, leasedIn: text, networks: list(subnet), boot: text },
});
