/** What a hook's command is told. */
import type { Hook } from "./state.ts";

/**
 * The environment variables as flannel's documentation of the extension backend names them. This version carries IPv4
 * only, so those for IPv6 are empty.
 */
export function hookEnvironment({ subnet, publicIp, network }: Hook): Readonly<Record<string, string>> {
  return {
    ...(network === "" ? {} : { NETWORK: network }),
    SUBNET: subnet,
    IPV6SUBNET: "",
    PUBLIC_IP: publicIp,
    PUBLIC_IPV6: "",
  };
}
