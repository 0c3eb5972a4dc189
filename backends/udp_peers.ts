/** Which peers the udp backend can reach: all that have a subnet and an address, whatever backend they announce. */
import type { Lease, Refusal } from "../lease/lease.ts";
import { type HostFacts, type Peer, readPeer, sortPeers, type Subnet } from "./peers.ts";

/**
 * Sorts the leases into peers and refusals, each on its own. A lease of another backend is a peer, as for flannel's udp:
 * a udp host that announces no type cannot be told from one of old.
 */
export function udpPeers(
  leases: readonly Lease[],
  { own, host }: { own: Subnet; host: HostFacts },
): { peers: Peer[]; refused: Refusal[] } {
  return sortPeers(leases, { own, host, judge: readPeer });
}
