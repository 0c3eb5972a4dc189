/** Which underlay WireGuard's packets to a peer go by: that of IPv4, or that of IPv6. Pure. */
import { type Family, isPrivate, parseIp } from "../net/ip.ts";
import type { WireguardMode } from "./wireguard_options.ts";

/** The addresses that a host announces. */
export type Announced = Readonly<Partial<Record<Family, string>>>;

/**
 * The family of the peer's address that this host sends to; undefined where it announces none that will do. `auto` takes
 * IPv4 between two hosts with public addresses of it, else IPv6 between two with public addresses of that, else IPv4:
 * what lies behind a NAT is reached straight where it can be. Both ends come to the same, from what both announce.
 */
export function underlayTo(
  peer: Announced,
  { mode, own }: { mode: WireguardMode; own: Announced },
): Family | undefined {
  if (mode === "ipv4" || mode === "ipv6") {
    const family: Family = mode === "ipv4" ? 4 : 6;
    return peer[family] === undefined ? undefined : family;
  }
  const shared = ([4, 6] as const).filter((family) =>
    peer[family] !== undefined && own[family] !== undefined
  );
  const open = shared.find((family) => isPublic(peer[family]!) && isPublic(own[family]!));
  return open ?? shared[0];
}

/** The families by which peers may be reached: the narrowest of them says how large a packet may be. */
export function underlaysOf(mode: WireguardMode, families: readonly Family[]): readonly Family[] {
  return mode === "ipv4" ? [4] : mode === "ipv6" ? [6] : families;
}

function isPublic(address: string): boolean {
  return !isPrivate(parseIp(address));
}
