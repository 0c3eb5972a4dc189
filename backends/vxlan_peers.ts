/** Which peers the vxlan backend can reach, and what it has to know of each. */
import type { Lease, Refusal } from "../lease/lease.ts";
import { isHostAddress, parseCidr, parseIp } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { isStationMac, parseMac } from "../net/mac.ts";
import { memo } from "../net/memo.ts";
import { printable, quoted } from "../net/text.ts";
import { MAX_VNI } from "./vxlan_options.ts";

export interface VxlanPeer {
  readonly lease: Lease;
  /** The subnet's address as a number, 1 to 2^32 − 1: the id of its nexthop object. */
  readonly id: number;
  /** The subnet's first address, which stands for the peer's VTEP in the overlay. */
  readonly gateway: string;
  readonly prefixLength: number;
  readonly mac: string;
}

interface Context {
  /** This host's subnet address as a number. */
  readonly ownId: number;
  readonly mac: string;
  readonly facts: HostFacts;
}

/** What of this host a peer's lease is judged by. */
interface HostFacts {
  readonly publicIp: string;
  /** The underlay's. */
  readonly address: string;
  readonly vni: number;
}

/** A reason, as a stable word and a clause. */
class Refused {
  constructor(readonly code: string, readonly reason: string) {}
}

/** Sorts the leases into peers and refusals, each on its own. The first of two that claim one thing has it. */
export function vxlanPeers(
  leases: readonly Lease[],
  context: Context,
): { peers: VxlanPeer[]; refused: Refusal[] } {
  const peers: VxlanPeer[] = [];
  const refused: Refusal[] = [];
  const ids = new Map<number, string>([[context.ownId, "this host"]]);
  const macs = new Map<string, string>([[context.mac, "this host"]]);
  for (const lease of leases) {
    const peer = peerOf(lease, context.facts);
    const why = peer instanceof Refused ? peer : claimed(peer, ids, macs);
    if (why !== undefined) {
      refused.push({ subnet: printable(lease.subnet), code: why.code, reason: why.reason });
    } else if (!(peer instanceof Refused)) {
      ids.set(peer.id, lease.subnet);
      macs.set(peer.mac, lease.subnet);
      peers.push(peer);
    }
  }
  return { peers, refused };
}

/** Whether somebody before has the peer's subnet address or its MAC. */
function claimed(
  peer: VxlanPeer,
  ids: ReadonlyMap<number, string>,
  macs: ReadonlyMap<string, string>,
): Refused | undefined {
  const first = ids.get(peer.id);
  if (first !== undefined) return new Refused("overlap", `${peer.gateway} is leased to ${first}`);
  const holder = macs.get(peer.mac);
  if (holder === undefined) return undefined;
  return new Refused("duplicate-mac", `VtepMAC ${peer.mac} belongs to ${holder}`);
}

/** One changed lease must not cost reading all of them again. */
const peerOf = memo(
  readPeer,
  (a, b) => a.publicIp === b.publicIp && a.address === b.address && a.vni === b.vni,
);

function readPeer(lease: Lease, facts: HostFacts): VxlanPeer | Refused {
  if (lease.backendType !== "vxlan") {
    return new Refused("other-backend", `its backend is ${quoted(lease.backendType)}, not "vxlan"`);
  }
  const subnet = readSubnet(lease.subnet);
  if (subnet === undefined) {
    return new Refused("bad-subnet", `${quoted(lease.subnet)} is not an IPv4 subnet`);
  }
  if (!isEndpoint(lease.publicIp)) {
    return new Refused("bad-endpoint", `PublicIP ${quoted(lease.publicIp)} cannot be a host's IPv4 address`);
  }
  if (lease.publicIp === facts.publicIp || lease.publicIp === facts.address) {
    return new Refused("duplicate-endpoint", `PublicIP ${lease.publicIp} is this host's own`);
  }
  const mac = readBackendData(lease.backendData, facts.vni);
  return mac instanceof Refused ? mac : { lease, ...subnet, mac };
}

function readSubnet(text: string): { id: number; gateway: string; prefixLength: number } | undefined {
  try {
    const { family, address, length } = parseCidr(text);
    if (family !== 4 || address === 0n) return undefined;
    return { id: Number(address), gateway: text.slice(0, text.indexOf("/")), prefixLength: length };
  } catch {
    // The reason is the caller's to give, with the value.
    return undefined;
  }
}

function isEndpoint(text: string): boolean {
  try {
    const ip = parseIp(text);
    return ip.family === 4 && isHostAddress(ip);
  } catch {
    // As above.
    return false;
  }
}

/** The VTEP's MAC from `{"VNI":1,"VtepMAC":"…"}`; flannel 0.7 leaves VNI out, Go reads keys in any case. */
function readBackendData(data: Json | undefined, vni: number): string | Refused {
  const bad = (reason: string) => new Refused("bad-backend-data", reason);
  if (typeof data !== "object" || data === null || Array.isArray(data)) {
    return bad(`BackendData is ${quoted(data ?? null)}, not an object`);
  }
  const theirs = field(data, "VNI") ?? vni;
  if (typeof theirs !== "number" || !Number.isInteger(theirs) || theirs < 1 || theirs > MAX_VNI) {
    return bad(`VNI ${quoted(theirs)} is not 1 to ${MAX_VNI}`);
  }
  if (theirs !== vni) return new Refused("vni-mismatch", `its VNI is ${theirs}, this host's is ${vni}`);
  const text = field(data, "VtepMAC");
  if (typeof text !== "string") return bad("VtepMAC is missing");
  const mac = readMac(text);
  return mac ?? bad(`VtepMAC ${quoted(text)} cannot be one station's`);
}

/** The field under its own name, or else under one that differs in case. */
function field(data: object, name: string): unknown {
  const own = Object.getOwnPropertyDescriptor(data, name);
  if (own) return own.value;
  const wanted = name.toLowerCase();
  return Object.entries(data).find(([key]) => key.toLowerCase() === wanted)?.[1];
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
