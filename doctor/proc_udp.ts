/** /proc/net/udp: the UDP sockets of this network namespace (proc(5)). */
import { formatIp } from "../net/ip.ts";

export interface UdpLine {
  readonly address: string;
  readonly port: number;
  /** Which socket it is, as `/proc/PID/fd` names it. */
  readonly inode: string;
}

/** Lines that are not of that form are skipped. */
export function parseUdp(text: string): UdpLine[] {
  return text.split("\n").flatMap((line) => {
    const [, local, , , , , , , , inode] = line.trim().split(/\s+/);
    const match = /^([0-9A-F]{8}):([0-9A-F]{4})$/.exec(local ?? "");
    if (match === null || inode === undefined || !/^\d+$/.test(inode)) return [];
    // The address stands there as the number that its bytes make in this machine's order, which is little-endian.
    const value = BigInt(`0x${match[1]!.match(/../g)!.reverse().join("")}`);
    return [{ address: formatIp({ family: 4, value }), port: parseInt(match[2]!, 16), inode }];
  });
}
