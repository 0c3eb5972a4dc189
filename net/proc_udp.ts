/** What /proc/net tells of UDP in this network namespace: its sockets, and what of its packets was dropped (proc(5)). */
import { formatIp } from "./ip.ts";

/** A line of /proc/net/udp. */
export interface UdpLine {
  readonly address: string;
  readonly port: number;
  /** Which socket it is, as `/proc/PID/fd` names it. */
  readonly inode: string;
  /**
   * Packets that reached the socket and were dropped. One with a wrong checksum counts there only where what follows its
   * IP header has more than 76 bytes (net/ipv4/udp.c: smaller ones are checked before their socket is sought).
   */
  readonly drops: number;
}

/** The sockets of /proc/net/udp. Lines that are not of that form are skipped. */
export function parseUdp(text: string): UdpLine[] {
  return text.split("\n").flatMap((line) => {
    const [, local, , , , , , , , inode, , , drops] = line.trim().split(/\s+/);
    const match = /^([0-9A-F]{8}):([0-9A-F]{4})$/.exec(local ?? "");
    if (match === null || !isCount(inode) || !isCount(drops)) return [];
    // The address stands there as the number that its bytes make in this machine's order, which is little-endian.
    const value = BigInt(`0x${match[1]!.match(/../g)!.reverse().join("")}`);
    const address = formatIp({ family: 4, value });
    return [{ address, port: parseInt(match[2]!, 16), inode, drops: Number(drops) }];
  });
}

/** How many UDP packets came with a wrong checksum, from /proc/net/snmp; undefined where that does not say. */
export function parseChecksumErrors(text: string): number | undefined {
  const [names = [], values = []] = text.split("\n").filter((line) => line.startsWith("Udp: "))
    .map((line) => line.trim().split(/\s+/));
  const value = values[names.indexOf("InCsumErrors")];
  return isCount(value) ? Number(value) : undefined;
}

function isCount(text: string | undefined): text is string {
  return text !== undefined && /^\d+$/.test(text);
}
