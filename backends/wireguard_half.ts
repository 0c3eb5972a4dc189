/** One half of a lease as the wireguard backend reads it. */
import type { Lease } from "../lease/lease.ts";
import type { Family } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { memo } from "../net/memo.ts";
import { quoted } from "../net/text.ts";
import { readKey } from "../net/wireguard_key.ts";
import { badData, dataField, dataObject } from "./backend_data.ts";
import { type Peer, readPeer, Refused, requireType } from "./peers.ts";

export interface WireguardHalf extends Peer {
  /** Base64. */
  readonly publicKey: string;
  /** Where it listens. */
  readonly port: number;
}

/** One changed lease must not cost reading all of them again. */
export const readWireguardHalf = memo(readHalf, (a, b) => a.port === b.port && a.family === b.family);

/** `port` is this host's, at which a peer is taken to listen that does not say where (flannel before 0.26.6). */
function readHalf(
  lease: Lease,
  { port, family }: { port: number; family: Family },
): WireguardHalf | Refused {
  const peer = requireType(lease, "wireguard") ?? readPeer(lease, family);
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
