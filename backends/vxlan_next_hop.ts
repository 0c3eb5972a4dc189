/** By which address of a tunnel's device a peer's subnet is reached. */
import { formatIp, parseCidr } from "../net/ip.ts";
import type { Subnet } from "./peers.ts";

/** RFC 4291, 2.5.6. */
const LINK_LOCAL = parseCidr("fe80::/10");

/**
 * For IPv4 the subnet's first address, as with flannel. For IPv6 the same with a link-local prefix, `fe80:5:2::` for
 * fd00:5:2::/64: Linux takes no other gateway to which a route leads over another link (EINVAL, "device mismatch"), and
 * so could not move a subnet from a plain route into the tunnel. It stands for the peer on this host only: what travels
 * is the peer's MAC.
 */
export function nextHopOf({ family, id, gateway }: Subnet): { gateway: string; onlink: boolean } {
  if (family === 4) return { gateway, onlink: true };
  const rest = id & ((1n << BigInt(128 - LINK_LOCAL.length)) - 1n);
  return { gateway: formatIp({ family, value: LINK_LOCAL.address | rest }), onlink: false };
}
