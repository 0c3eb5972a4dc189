/** A lease: which host owns which subnet of the network, and how that host is reached. */
import type { Json } from "../net/json.ts";
import type { OtherPlane } from "./other_planes.ts";

/** Without the fields that end in 6 it is of the network's first family: IPv4, unless the network has IPv6 alone. */
export interface Lease {
  /** The subnet, as `10.5.1.0/24`. */
  readonly subnet: string;
  /** The host's underlay address of the same family, to which its peers send. */
  readonly publicIp: string;
  /** flannel's canonical backend name; "" for udp and alloc, which announce none. */
  readonly backendType: string;
  /** What the backend needs to know of this host (vxlan: VNI and VtepMAC), or undefined. */
  readonly backendData: Json | undefined;
  /** The IPv6 half of a dual-stack lease, `fd00:5:1::/64`. */
  readonly subnet6?: string;
  /** The host's IPv6 underlay address, which flannel may announce in any lease. */
  readonly publicIp6?: string;
  /** What the backend needs to know of this host for IPv6. */
  readonly backendV6Data?: Json;
  /** The address that a claimed reservation was made for. One made for a node or not claimed has none. */
  readonly reservedIp?: string;
  /** By what else the host can be reached, while the network moves to another backend. */
  readonly otherPlanes?: readonly OtherPlane[];
  /** flan's identity of the host; undefined for a flannel host's lease. */
  readonly node: string | undefined;
  /** Milliseconds since 1970, undefined for a reservation, which does not expire, Infinity where not known. */
  readonly expires: number | undefined;
  /** The store's revision of this lease; every write is a compare-and-swap on it. */
  readonly revision: number;
}

/** Why a lease can be refused, as words that do not change. */
export const refusalCodes = [
  "bad-key",
  "bad-value",
  "bad-subnet",
  "bad-length",
  "bad-endpoint",
  "bad-backend-type",
  "bad-backend-data",
  "bad-node",
  "bad-config",
  "outside-network",
  "covers-network",
  "covers-host",
  "overlap",
  "second-lease",
  "duplicate-endpoint",
  "duplicate-mac",
  "duplicate-key",
  "other-backend",
  "vni-mismatch",
  "not-on-link",
] as const;
export type RefusalCode = (typeof refusalCodes)[number];

/** A lease that cannot be used, and why. It hides no other one. */
export interface Refusal {
  /** The subnet or store key as it stands in the store, printable. */
  readonly subnet: string;
  readonly code: RefusalCode;
  /** One clause for a person, with the value. */
  readonly reason: string;
}
