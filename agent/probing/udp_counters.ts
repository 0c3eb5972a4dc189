/** What this network namespace counts of UDP, from /proc/net. */
import { parseChecksumErrors, parseUdp } from "../../net/proc_udp.ts";
import type { UdpCounters } from "./checksum_watch.ts";

export const udpCounters: UdpCounters = {
  errors() {
    const text = textOf("/proc/net/snmp");
    return text === undefined ? undefined : parseChecksumErrors(text);
  },
  drops() {
    const text = textOf("/proc/net/udp");
    if (text === undefined) return undefined;
    const drops = new Map<number, number>();
    for (const { port, drops: count } of parseUdp(text)) drops.set(port, (drops.get(port) ?? 0) + count);
    return drops;
  },
};

/** Undefined where it cannot be read, whyever: the agent works without these counters, and looks again soon. */
function textOf(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}
