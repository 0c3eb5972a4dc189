/** Which peers the vxlan backend can reach, and what it has to know of each. */
import type { Lease, Refusal } from "../lease/lease.ts";
import type { Family } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { isStationMac, parseMac } from "../net/mac.ts";
import { memo } from "../net/memo.ts";
import { quoted } from "../net/text.ts";
import { badData, dataField, dataObject } from "./backend_data.ts";
import {
  claimOnce,
  type HostFacts,
  type Peer,
  readPeer,
  Refused,
  requireType,
  sortPeers,
  type Subnet,
} from "./peers.ts";
import { MAX_VNI } from "./vxlan_options.ts";

/** Its `id` is that of its nexthop object, and its `gateway` stands for its VTEP. */
export interface VxlanPeer extends Peer {
  readonly mac: string;
}

interface Context {
  readonly own: Subnet;
  readonly mac: string;
  readonly host: HostFacts;
  readonly vni: number;
}

/** Sorts the leases into peers and refusals, each on its own. The first of two that claim one thing has it. */
export function vxlanPeers(
  leases: readonly Lease[],
  { own, mac, host, vni }: Context,
): { peers: VxlanPeer[]; refused: Refusal[] } {
  const claim = claimOnce({ own: mac, code: "duplicate-mac", name: "VtepMAC" });
  return sortPeers(leases, {
    own,
    host,
    judge: (lease, family) => peerOf(lease, { vni, family }),
    claim: (peer) => claim(peer.mac, peer.lease.subnet),
  });
}

/** One changed lease must not cost reading all of them again. */
const peerOf = memo(readVxlanPeer, (a, b) => a.vni === b.vni && a.family === b.family);

function readVxlanPeer(
  lease: Lease,
  { vni, family }: { vni: number; family: Family },
): VxlanPeer | Refused {
  const peer = requireType(lease, "vxlan") ?? readPeer(lease, family);
  if (peer instanceof Refused) return peer;
  const mac = readBackendData(lease.backendData, vni);
  return mac instanceof Refused ? mac : { ...peer, mac };
}

/** The VTEP's MAC from `{"VNI":1,"VtepMAC":"…"}`; flannel 0.7 leaves VNI out, Go reads keys in any case. */
function readBackendData(data: Json | undefined, vni: number): string | Refused {
  const fields = dataObject(data);
  if (fields instanceof Refused) return fields;
  const theirs = dataField(fields, "VNI") ?? vni;
  if (typeof theirs !== "number" || !Number.isInteger(theirs) || theirs < 1 || theirs > MAX_VNI) {
    return badData(`VNI ${quoted(theirs)} is not 1 to ${MAX_VNI}`);
  }
  if (theirs !== vni) return new Refused("vni-mismatch", `its VNI is ${theirs}, this host's is ${vni}`);
  const text = dataField(fields, "VtepMAC");
  if (typeof text !== "string") return badData("VtepMAC is missing");
  const mac = readMac(text);
  return mac ?? badData(`VtepMAC ${quoted(text)} cannot be one station's`);
}

function readMac(text: string): string | undefined {
  try {
    const mac = parseMac(text);
    return isStationMac(mac) ? mac : undefined;
  } catch {
    // As above.
    return undefined;
  }
}
