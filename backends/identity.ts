/** What a host is known by on its devices: their MACs, their keys. */
import type { Host } from "./backend.ts";

/** In the order of the backend's devices: of none, of one for both families, or of one for each. */
export interface Identity {
  readonly macs: readonly string[];
  /** WireGuard's, in base64. */
  readonly publicKeys: readonly string[];
}

/** The host with these on its devices, and no others. */
export function withIdentity(host: Host, { macs, publicKeys }: Identity): Host {
  const { publicKey: _, ipv6, ...rest } = host;
  const [mac = "", mac6 = ""] = macs;
  const [key, key6] = publicKeys.map((publicKey) => ({ publicKey }));
  if (ipv6 === undefined) return { ...rest, mac, ...key };
  const { publicKey: __, ...rest6 } = ipv6;
  return { ...rest, mac, ...key, ipv6: { ...rest6, mac: mac6, ...key6 } };
}

/** What {@link withIdentity} gave the host. */
export function identityOf({ mac, publicKey, ipv6 }: Pick<Host, "mac" | "publicKey" | "ipv6">): Identity {
  const publicKeys = [publicKey, ipv6?.publicKey].filter((key) => key !== undefined);
  return { macs: ipv6 === undefined ? [mac] : [mac, ipv6.mac], publicKeys };
}
