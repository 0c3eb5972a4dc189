/** What carrying a packet of the overlay adds to it, in bytes. */
import type { Link } from "./state.ts";

/** Inner Ethernet 14, outer IPv4 20, UDP 8, VXLAN 8 (RFC 7348). */
export const VXLAN_OVERHEAD = 50;

/** Outer IPv4 20 (RFC 791) and UDP 8 (RFC 768); the payload is the packet itself. */
export const UDP_OVERHEAD = 28;

/** For packets that leave by this link; 0 where it is no tunnel of flan's. */
export function overheadOf(link: Pick<Link, "vxlan" | "tun">): number {
  if (link.vxlan !== undefined) return VXLAN_OVERHEAD;
  return link.tun === undefined ? 0 : UDP_OVERHEAD;
}
