/** What this network namespace counts of UDP, from /proc/net. */
import { parseChecksumErrors, parseUdp } from "../net/proc_udp.ts";
import type { UdpCounters } from "./checksum_watch.ts";

export const udpCounters: UdpCounters = {
  errors: () => parseChecksumErrors(textOf("/proc/net/snmp")),
  drops() {
    const drops = new Map<number, number>();
    for (const { port, drops: count } of parseUdp(textOf("/proc/net/udp"))) {
      drops.set(port, (drops.get(port) ?? 0) + count);
    }
    return drops;
  },
};

/** "" where there is no such file, or it may not be read: nothing is known then. */
function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return "";
    throw error;
  }
}
