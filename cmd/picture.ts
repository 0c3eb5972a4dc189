/** What a picture of the network shows: this host in the middle, and every lease around it with how it stands. */
import { formatCidr } from "../net/ip.ts";
import { printable } from "../net/text.ts";
import type { Observed } from "./observe.ts";
import { rowsOf } from "./route_rows.ts";

export interface Picture {
  readonly network: string;
  readonly backend: string;
  /** This host itself. */
  readonly own: Box;
  /** In the order of their subnets. */
  readonly peers: readonly Box[];
}

export interface Box {
  readonly subnet: string;
  /** The host's address, or why there is none. */
  readonly at: string;
  /** The first digits of the node's identity, or "". */
  readonly node: string;
  /** How packets go: `vxlan`, `direct`, `udp`; `local` for this host, `refused` for a lease that cannot be used. */
  readonly way: string;
  readonly state: string;
  /** What is not in place, or "". */
  readonly note: string;
}

/** Text of others is printable and short; each format escapes what it must. */
export function pictureOf(observed: Observed): Picture {
  const rows = rowsOf(observed);
  const boxes = rows.map(({ subnet, via, node, kind, state, note }): Box => ({
    subnet: printable(subnet, 24),
    at: printable(via ?? "", 24),
    node: printable(node ?? "", 8),
    way: kind,
    state,
    note: printable(note ?? "", 28),
  }));
  const { publicIp } = observed.host;
  const nobody: Box = { subnet: "no lease", at: "", node: "", way: "local", state: "missing", note: "" };
  return {
    network: formatCidr(observed.config.network),
    backend: observed.backend.type,
    own: { ...boxes.find(({ way }) => way === "local") ?? nobody, at: publicIp },
    peers: boxes.filter(({ way }) => way !== "local"),
  };
}

/** The lines of a box, without empty ones. */
export function linesOf({ subnet, at, node, way, state, note }: Box): readonly string[] {
  const how = way === "local" ? "this host" : way === "refused" ? "refused" : `${way}: ${state}`;
  return [subnet, [at, node && `node ${node}`].filter(Boolean).join(" "), how, note].filter((line) =>
    line !== ""
  );
}
