/** What /proc/net tells of UDP in this network namespace: its sockets, and what of its packets was dropped (proc(5)). */
import { formatIp } from "./ip.ts";

/** A line of /proc/net/udp or /proc/net/udp6. */
export interface UdpLine {
  /** That of IPv4 where it is one of IPv4 in IPv6's form (RFC 4291, 2.5.5.2). */
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

/** The sockets of /proc/net/udp or /proc/net/udp6. Lines that are not of that form are skipped. */
export function parseUdp(text: string): UdpLine[] {
  return text.split("\n").flatMap((line) => {
    const [, local, , , , , , , , inode, , , drops] = line.trim().split(/\s+/);
    const match = /^((?:[0-9A-F]{8}){1,4}):([0-9A-F]{4})$/.exec(local ?? "");
    if (match === null || !isCount(inode) || !isCount(drops)) return [];
    const address = addressOf(match[1]!);
    return address === undefined
      ? []
      : [{ address, port: parseInt(match[2]!, 16), inode, drops: Number(drops) }];
  });
}

/** Each four bytes stand there as the number that they make in this machine's order, which is little-endian. */
function addressOf(hex: string): string | undefined {
  if (hex.length !== 8 && hex.length !== 32) return undefined;
  const value = BigInt(
    `0x${hex.match(/.{8}/g)!.map((word) => word.match(/../g)!.reverse().join("")).join("")}`,
  );
  const isIpv4 = hex.length === 8 || value >> 32n === 0xffffn;
  return formatIp(isIpv4 ? { family: 4, value: value & 0xffffffffn } : { family: 6, value });
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
