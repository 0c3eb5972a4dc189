/** For data planes that carry IPv4 over IPv4 and nothing else. */
import type { NetworkConfig } from "../lease/network.ts";
import { invalid } from "../net/errors.ts";
import { formatCidr } from "../net/ip.ts";

/** A clause that names what of the network is not IPv4; none for a network that is IPv4 alone. */
export function ipv4Problems({ network, ipv6 }: Pick<NetworkConfig, "network" | "ipv6">): readonly string[] {
  const other = network.family === 6 ? network : ipv6?.network;
  return other === undefined ? [] : [`it carries IPv4 only, and the network has ${formatCidr(other)}`];
}

/** Throws `invalid` for a network that is not IPv4 alone. */
export function requireIpv4(config: Pick<NetworkConfig, "network" | "ipv6">, backend: string): void {
  const [problem] = ipv4Problems(config);
  if (problem === undefined) return;
  throw invalid("backend.check", `Cannot use backend ${backend}: ${problem}`, "--backend vxlan carries both");
}
