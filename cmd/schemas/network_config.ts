import { foreign, list, text } from "./shapes.ts";

const backend = { type: "object", properties: { Type: text }, additionalProperties: true };
const bits = { type: "integer", minimum: 0, maximum: 128 };

/** In flannel's spelling; keys may be written in any, and unknown ones stay. */
export const networkConfig = foreign("flannel's network config", {
  description: "flan config get and flan config set; flannel's net-conf.json and <prefix>/config in etcd.",
  shape: {
    type: "object",
    properties: {
      Network: text,
      SubnetLen: bits,
      SubnetMin: text,
      SubnetMax: text,
      EnableIPv4: { type: "boolean" },
      EnableIPv6: { type: "boolean" },
      EnableNFTables: { type: "boolean" },
      IPv6Network: text,
      IPv6SubnetLen: bits,
      IPv6SubnetMin: text,
      IPv6SubnetMax: text,
      Backend: backend,
      // flan's own: what hosts that have not moved may still be on.
      FormerBackends: list(backend),
    },
    additionalProperties: true,
  },
});
