/** Which peers the ipsec backend can reach, and what it has to know of each. */
import type { Lease, Refusal } from "../lease/lease.ts";
import type { SubnetRange } from "../lease/subnet_range.ts";
import { covers, type Family, parseCidr } from "../net/ip.ts";
import { isNonce } from "../net/ipsec_key.ts";
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

export interface IpsecPeer extends Peer {
  readonly nonce: string;
  /** Of its subnet, see {@link positionOf}. */
  readonly position: number;
}

type Range = Pick<SubnetRange, "network">;

/** Of four addresses, see `longestSubnet` in lease/subnet_range.ts. */
const UNIT_BITS = 2n;

/** Sorts the leases into peers and refusals, each on its own. The first of two at one address has it. */
export function ipsecPeers(
  leases: readonly Lease[],
  { own, host, range }: { own: Subnet; host: HostFacts; range: Range },
): { peers: IpsecPeer[]; refused: Refusal[] } {
  const addresses = new Map<string, string>();
  return sortPeers(leases, {
    own,
    host,
    judge: (lease, family) => peerOf(lease, { family, range }),
    claim({ lease: { publicIp, subnet } }) {
      // The kernel tells outgoing states apart by the addresses of both ends.
      const holder = addresses.get(publicIp);
      if (holder !== undefined) {
        return new Refused("duplicate-endpoint", `PublicIP ${publicIp} belongs to ${holder}`);
      }
      addresses.set(publicIp, subnet);
    },
  });
}

/**
 * Where in the network a subnet begins, in units of the smallest that a host can have: what hosts have keeps its place
 * when the network's SubnetLen changes. Undefined for one that is not in the network.
 */
export function positionOf(subnet: string, { network }: Range): number | undefined {
  const cidr = parseCidr(subnet);
  return covers(network, cidr) ? Number((cidr.address - network.address) >> UNIT_BITS) : undefined;
}

/** One changed lease must not cost reading all of them again. */
const peerOf = memo(
  readIpsecPeer,
  (a, b) =>
    a.family === b.family &&
    a.range.network.address === b.range.network.address && a.range.network.length === b.range.network.length,
);

function readIpsecPeer(
  lease: Lease,
  { family, range }: { family: Family; range: Range },
): IpsecPeer | Refused {
  const other = requireType(lease, "ipsec");
  if (other !== undefined) return other;
  const peer = readPeer(lease, family);
  if (peer instanceof Refused) return peer;
  const position = positionOf(lease.subnet, range);
  if (position === undefined) {
    return new Refused("bad-subnet", `${quoted(lease.subnet)} is not one of the network's subnets`);
  }
  const nonce = nonceIn(lease);
  return nonce instanceof Refused ? nonce : { ...peer, position, nonce };
}

/** `{"Nonce":"…"}`. flannel's hosts announce nothing: they agree upon keys by IKE, which flan does not speak. */
function nonceIn({ backendData }: Lease): string | Refused {
  if (backendData === undefined || backendData === null) {
    return badData("it announces no Nonce; flannel's hosts use IKE, which flan does not");
  }
  const fields = dataObject(backendData);
  if (fields instanceof Refused) return fields;
  const nonce = dataField(fields, "Nonce");
  return isNonce(nonce) ? nonce : badData(`Nonce ${quoted(nonce)} is not 32 hex digits`);
}
