/** What a device needs of the kernel's settings to carry packets of its overlay's family. */
import type { Sysctl } from "../kernel/state.ts";
import type { Family } from "../net/ip.ts";

/** On a tunnel no router speaks; and IPv6 may be switched off for whatever device is new. */
export function sysctlsOf(device: string, family: Family): Sysctl[] {
  if (family === 4) return [];
  return Object.entries({ disable_ipv6: "0", accept_ra: "0" }).map(([name, value]) => ({
    kind: "sysctl",
    name: `net/ipv6/conf/${device}/${name}`,
    value,
  }));
}
