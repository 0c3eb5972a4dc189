/** What a hook's command is told. */
import { familyOf } from "../net/ip.ts";
import type { Hook } from "./state.ts";

/**
 * The environment variables as flannel's documentation of the extension backend names them, each by its family and empty
 * where there is none; `IPV6_NETWORK`, where there is one, is flan's own.
 */
export function hookEnvironment(hook: Hook): Readonly<Record<string, string>> {
  const isFirst4 = familyOf(hook.subnet) === 4;
  const first = [hook.subnet, hook.publicIp, hook.network] as const;
  const second = [hook.subnet6 ?? "", hook.publicIp6 ?? "", hook.network6 ?? ""] as const;
  const [subnet4, publicIp4, network4] = isFirst4 ? first : ["", "", ""];
  const [subnet6, publicIp6, network6] = isFirst4 ? second : first;
  return {
    ...(hook.network === "" ? {} : { NETWORK: network4 }),
    ...(network6 === "" ? {} : { IPV6_NETWORK: network6 }),
    SUBNET: subnet4,
    IPV6SUBNET: subnet6,
    PUBLIC_IP: publicIp4,
    PUBLIC_IPV6: publicIp6,
  };
}
