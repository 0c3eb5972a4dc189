/** Subnets that an administrator holds back: records without an end, in flannel's form. */
import type { Json } from "../net/json.ts";
import { encodeLease, isNobody, nobody } from "./decode.ts";
import type { Lease } from "./lease.ts";
import type { NetworkConfig } from "./network.ts";
import type { NewRecord } from "./store.ts";

/** flannel's backends that announce no BackendType. */
const ANNOUNCE_NONE: ReadonlySet<string> = new Set([
  "udp",
  "alloc",
  "ali-vpc",
  "aws-vpc",
  "gce",
  "tencent-vpc",
]);

/** The value of a reservation that nobody has claimed: for the host that announces `publicIp`, or for none, whatever its family. */
export function reservedValue(publicIp: string = nobody(4)): Json {
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
  return isNobody(publicIp) || backendType === "" && !ANNOUNCE_NONE.has(network.backendType);
}

/**
 * The address that a lease is reserved for, undefined for one that ends or is reserved for a node or for nobody. Whoever
 * announces the address may claim it, and whoever has claimed it does not change whom it is for.
 */
export function reservedAddress(
  { node, publicIp, reservedIp, expires }: Pick<Lease, "node" | "publicIp" | "reservedIp" | "expires">,
): string | undefined {
  if (expires !== undefined) return undefined;
  return reservedIp ?? (node === undefined && !isNobody(publicIp) ? publicIp : undefined);
}

/** What stands under the key once the holder of a claimed reservation is gone: it waits for whom it was made. */
export function waiting(key: string, lease: Lease): NewRecord {
  const address = reservedAddress(lease);
  const node = address === undefined ? lease.node : undefined;
  return { key, value: reservedValue(address), node, ttl: undefined };
}

/** Whom a reservation is for, as a clause: `for node 11111111111111aa`. */
export function reservedFor(lease: Pick<Lease, "node" | "publicIp" | "reservedIp" | "expires">): string {
  const address = reservedAddress(lease);
  if (address !== undefined) return `for ${address}`;
  return lease.node === undefined ? "for nobody" : `for node ${lease.node}`;
}
