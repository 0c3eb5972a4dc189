/** Subnets that an administrator holds back: records without an end, in flannel's form. */
import type { Json } from "../net/json.ts";
import { encodeLease } from "./decode.ts";
import type { Lease } from "./lease.ts";
import type { NetworkConfig } from "./network.ts";

/** What flannel writes and reads where there is no address. */
const NOBODY = "0.0.0.0";

/** flannel's backends that announce no BackendType. */
const ANNOUNCE_NONE: ReadonlySet<string> = new Set([
  "udp",
  "alloc",
  "ali-vpc",
  "aws-vpc",
  "gce",
  "tencent-vpc",
]);

/** The value of a reservation that nobody has claimed: for the host that announces `publicIp`, or for none. */
export function reservedValue(publicIp: string = NOBODY): Json {
  return encodeLease({ publicIp, backendType: "", backendData: undefined });
}

/**
 * Whether the lease is a reservation that no host has claimed. With a backend that announces no type the claim of an
 * address cannot be told from its reservation; it then counts as claimed.
 */
export function isUnclaimed(
  { expires, publicIp, backendType }: Pick<Lease, "expires" | "publicIp" | "backendType">,
  network: Pick<NetworkConfig, "backendType">,
): boolean {
  if (expires !== undefined) return false;
  return publicIp === NOBODY || backendType === "" && !ANNOUNCE_NONE.has(network.backendType);
}

/** Whom an unclaimed reservation is for, as a clause: `for node 11111111111111aa`. */
export function reservedFor({ node, publicIp }: Pick<Lease, "node" | "publicIp">): string {
  if (node !== undefined) return `for node ${node}`;
  return publicIp === NOBODY ? "for nobody" : `for ${publicIp}`;
}
