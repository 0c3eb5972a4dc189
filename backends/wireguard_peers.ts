/** Which peers the wireguard backend can reach, and what it has to know of each. */
import type { Lease, Refusal } from "../lease/lease.ts";
import type { Json } from "../net/json.ts";
import type { Family } from "../net/ip.ts";
import { memo } from "../net/memo.ts";
import { quoted } from "../net/text.ts";
import { badData, dataField, dataObject } from "./backend_data.ts";
import {
  type HostFacts,
  type Peer,
  readPeer,
  Refused,
  requireType,
  sortPeers,
  type Subnet,
} from "./peers.ts";
import { readKey } from "../net/wireguard_key.ts";

export interface WireguardPeerLease extends Peer {
  /** Base64. */
  readonly publicKey: string;
  /** Where it listens. */
  readonly port: number;
}

interface Context {
  readonly own: Subnet;
  readonly publicKey: string;
  readonly host: HostFacts;
  /** This host's, at which a peer is taken to listen that does not say where (flannel before 0.26.6). */
  readonly port: number;
}

/** Sorts the leases into peers and refusals, each on its own. The first of two that claim one key has it. */
export function wireguardPeers(
  leases: readonly Lease[],
  { own, publicKey, host, port }: Context,
): { peers: WireguardPeerLease[]; refused: Refusal[] } {
  const keys = new Map<string, string>([[publicKey, "this host"]]);
  return sortPeers(leases, {
    own,
    host,
    judge: (lease, family) => peerOf(lease, { port, family }),
    claim(peer) {
      const holder = keys.get(peer.publicKey);
      if (holder !== undefined) {
        return new Refused("duplicate-key", `PublicKey ${peer.publicKey} belongs to ${holder}`);
      }
      keys.set(peer.publicKey, peer.lease.subnet);
    },
  });
}

/** One changed lease must not cost reading all of them again. */
const peerOf = memo(readWireguardPeer, (a, b) => a.port === b.port && a.family === b.family);

function readWireguardPeer(
  lease: Lease,
  { port, family }: { port: number; family: Family },
): WireguardPeerLease | Refused {
  const other = requireType(lease, "wireguard");
  if (other !== undefined) return other;
  const peer = readPeer(lease, family);
  if (peer instanceof Refused) return peer;
  const data = readBackendData(lease.backendData, port);
  return data instanceof Refused ? data : { ...peer, ...data };
}

/** `{"PublicKey":"…","Port":51820}`. */
function readBackendData(
  data: Json | undefined,
  own: number,
): { publicKey: string; port: number } | Refused {
  const fields = dataObject(data);
  if (fields instanceof Refused) return fields;
  const publicKey = dataField(fields, "PublicKey");
  if (typeof publicKey !== "string") return badData("PublicKey is missing");
  if (readKey(publicKey) === undefined) return badData(`PublicKey ${quoted(publicKey)} is no WireGuard key`);
  // In Go an absent number is 0.
  const port = dataField(fields, "Port") || own;
  if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65535) {
    return badData(`Port ${quoted(port)} is not 1 to 65535`);
  }
  return { publicKey, port };
}
