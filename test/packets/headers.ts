/** Where things stand in a packet of either family: no code in common with the product. */

/** Extension headers that another header follows (RFC 8200, section 4; RFC 4302 for 51). */
const extensions = [0, 43, 44, 51, 60];

export interface Upper {
  /** What the last header says that follows. */
  readonly protocol: number;
  /** Where that begins. */
  readonly at: number;
  /** In units of 8 bytes; 0 where the packet is whole or a first fragment. */
  readonly offset: number;
  readonly isFragment: boolean;
}

/** What is behind the IP header and, in IPv6, behind its extension headers; undefined where that is cut off. */
export function upperOf(packet: Uint8Array): Upper | undefined {
  if (!isIpv6(packet)) {
    const word = packet[6]! * 256 + packet[7]!;
    const at = packet[0]! % 16 * 4;
    return { protocol: packet[9]!, at, offset: word & 0x1fff, isFragment: (word & 0x3fff) !== 0 };
  }
  let [protocol, at, offset, isFragment] = [packet[6]!, 40, 0, false];
  while (extensions.includes(protocol) && offset === 0) {
    if (at + 8 > packet.length) return undefined;
    const word = packet[at + 2]! * 256 + packet[at + 3]!;
    if (protocol === 44) [offset, isFragment] = [word >> 3, isFragment || (word & 0xfff9) !== 0];
    const units = packet[at + 1]!;
    const length = protocol === 44 ? 8 : protocol === 51 ? units * 4 + 8 : units * 8 + 8;
    protocol = packet[at]!;
    at += length;
    if (at > packet.length) return undefined;
  }
  return { protocol, at, offset, isFragment };
}

export const isIpv6 = (packet: Uint8Array): boolean => packet[0]! >> 4 === 6;

/** The length of the headers before TCP's or UDP's. */
export const headerOf = (packet: Uint8Array): number => upperOf(packet)?.at ?? packet.length;

export const protocolOf = (packet: Uint8Array): number => upperOf(packet)?.protocol ?? 59;

/** Where the TTL or the hop limit stands. */
export const ttlAt = (packet: Uint8Array): number => isIpv6(packet) ? 7 : 8;

/** Source and destination. */
export const addressesOf = (packet: Uint8Array): Uint8Array =>
  isIpv6(packet) ? packet.subarray(8, 40) : packet.subarray(12, 20);
