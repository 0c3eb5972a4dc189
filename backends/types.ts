/** The names of the backends: what flags and help say of them, without the backends themselves. */
export const backendTypes = [
  "vxlan",
  "wireguard",
  "udp",
  "host-gw",
  "ipip",
  "ipsec",
  "alloc",
  "extension",
] as const;

/** One of the names, as a network config's `Type` has it. */
export type BackendType = (typeof backendTypes)[number];
