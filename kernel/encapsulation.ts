/** What carrying a packet of the overlay adds to it, in bytes. */
import { type Family, familyOf } from "../net/ip.ts";
import type { Link } from "./state.ts";

/** The header of the outer packet (RFC 791, RFC 8200). */
const HEADER: Readonly<Record<Family, number>> = { 4: 20, 6: 40 };

/** Of an underlay of that family: inner Ethernet 14, the outer header, UDP 8, VXLAN 8 (RFC 7348). */
export function vxlanOverhead(family: Family): number {
  return 14 + HEADER[family] + 8 + 8;
}

/** The outer header and UDP 8 (RFC 768); the payload is the packet itself. */
export function udpOverhead(family: Family): number {
  return HEADER[family] + 8;
}

/** The outer header, UDP 8, and WireGuard's own 16 with a tag of 16 (wireguard.pdf, 5.4.6). */
export function wireguardOverhead(family: Family): number {
  return HEADER[family] + 8 + 16 + 16;
}

/** Outer IPv4 20 (RFC 2003); the payload is the packet itself. */
export const IPIP_OVERHEAD = 20;

/**
 * How much of an underlay's MTU ESP in tunnel mode with AES-GCM leaves (RFC 4303, RFC 4106): the outer header, UDP 8 where
 * it is in such (RFC 3948), SPI and sequence number 8, IV 8 and tag 16; what is encrypted is a multiple of 4 with 2 bytes
 * at its end.
 */
export function espRoom(
  underlay: number,
  { family, isInUdp }: { readonly family: Family; readonly isInUdp: boolean },
): number {
  const room = underlay - HEADER[family] - (isInUdp ? 8 : 0) - 8 - 8 - 16;
  return room - room % 4 - 2;
}

/**
 * For packets that leave by this link over an underlay of the family `outer`, where `isInUdp` if they are ESP in UDP; 0
 * where it is no tunnel of flan's.
 */
export function overheadOf(
  link: Pick<Link, "type" | "vxlan" | "tun" | "ipip">,
  { outer, isInUdp }: { readonly outer: Family; readonly isInUdp: boolean },
): number {
  if (link.vxlan !== undefined) return vxlanOverhead(familyOf(link.vxlan.local));
  if (link.type === "wireguard") return wireguardOverhead(outer);
  if (link.type === "xfrm") return -espRoom(0, { family: outer, isInUdp });
  if (link.ipip !== undefined) return IPIP_OVERHEAD;
  return link.tun === undefined ? 0 : udpOverhead(outer);
}
