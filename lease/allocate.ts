/** The choice of this host's subnet: a pure function of the store's contents. */
import { FlanError, invalid } from "../net/errors.ts";
import { formatCidr, parseCidr } from "../net/ip.ts";
import { addressIn } from "./decode.ts";
import { candidates, isFree } from "./free_subnets.ts";
import { type Held, heldSubnets, holdersOf, holderText } from "./held.ts";
import { isDualStackKey, subnetOfKey } from "./key.ts";
import { isSubnetOf, type NetworkConfig, subnetCount } from "./network.ts";
import { isUnclaimed, reservedAddress } from "./reservation.ts";
import type { LeaseRecord, Snapshot } from "./store.ts";

export interface AllocateRequest {
  readonly config: NetworkConfig;
  readonly snapshot: Snapshot;
  /** flan's identity of this host. */
  readonly node: string;
  /** The address that this host announces. */
  readonly publicIp: string;
  /** The subnet this host must get, or undefined for any. */
  readonly wish?: string | undefined;
  /** The subnet this host had once, taken again if it can be. */
  readonly previous?: string | undefined;
  /** The subnet this host is in, as far as it knows: containers have addresses of it. */
  readonly current?: string | undefined;
  /** Chooses one of `count` candidates, 0 ≤ n < count; the first unless given. */
  readonly pick?: ((count: number) => number) | undefined;
}

export interface Allocation {
  readonly subnet: string;
  /**
   * `own`: held already; `reserved`: kept free for this host; `taken-over`: held by this host as a flannel host; the
   * others are new leases.
   */
  readonly how: "own" | "reserved" | "taken-over" | "wish" | "previous" | "free";
  /** The record to update, where the subnet is held already. */
  readonly record: LeaseRecord | undefined;
  /** Further leases of this host, to be given back. Reservations are never among them. */
  readonly surplus: readonly LeaseRecord[];
}

/**
 * This host's subnet: its own lease (known by its node id) while the config allows it; what is reserved for it, by
 * its node id or its address; the lease of the flannel host that had this address; the wish; the previous subnet, or
 * the one whose lease of this node expired; a free one. A host that is in a subnet already takes that one again before
 * another is claimed that is reserved for it, unless somebody has released it: so a reservation waits for the next join,
 * or until the lease is revoked. A dual-stack lease is never this host's: flan carries no IPv6,
 * and would announce under such a key an IPv6 subnet that nobody reaches.
 *
 * Throws `failed` where another flan host announces the same address, or holds the wished subnet; `invalid`
 * where the wish does not fit; `out-of-subnets`.
 */
export function allocate(request: AllocateRequest): Allocation {
  const { config, snapshot, node, publicIp } = request;
  const held = heldSubnets(snapshot, (record) => record.node === node || addressIn(record) === publicIp);
  const sameAddress = held.filter(({ lease }) => lease?.publicIp === publicIp);
  const others = sameAddress.filter(({ record }) => record.node !== undefined && record.node !== node);
  // A reservation for an address is for the host that joins with it, whoever was at that address before.
  const left = request.current !== undefined
    ? []
    : others.filter(({ lease }) => reservedAddress(lease!) === publicIp);
  const twin = others.find((one) => !left.includes(one));
  if (twin !== undefined) throw duplicateAddress(twin, publicIp);
  const wish = request.wish === undefined ? undefined : wished(config, request.wish);
  const fits = ({ cidr, record }: Held) => isSubnetOf(config, cidr) && !isDualStackKey(record.key);
  const isReserved = (one: Held) =>
    left.includes(one) || one.lease !== undefined && isUnclaimed(one.lease, config);
  const own = held.filter((one) => one.record.node === node && !isReserved(one));
  const reserved = held.filter((one) => isReserved(one) && (wish === undefined || one.subnet === wish));
  const former = sameAddress.filter((one) => one.record.node === undefined && !isReserved(one));
  const mine = own.find(fits);
  const forMe = reserved.find((one) => one.subnet === request.current && fits(one)) ??
    (canStay(request) ? undefined : reserved.find(fits));
  const kept = mine ?? forMe ?? former.find(fits);
  const surplus = own.filter((other) => other !== kept && other.record.expires !== undefined)
    .map(({ record }) => record);
  if (kept !== undefined) {
    const { subnet } = kept;
    if (wish !== undefined && wish !== subnet) throw otherHeld(wish, subnet);
    const how = kept === mine ? "own" : kept === forMe ? "reserved" : "taken-over";
    return { subnet, how, record: kept.record, surplus };
  }
  return { ...choose(request, wish), record: undefined, surplus };
}

function choose(
  { config, snapshot, node, current, previous, pick = () => 0 }: AllocateRequest,
  wish: string | undefined,
): Pick<Allocation, "subnet" | "how"> {
  if (wish !== undefined) {
    if (!isFree(wish, { config, snapshot })) throw wishTaken(wish, { config, snapshot });
    return { subnet: wish, how: "wish" };
  }
  for (const former of [current, previous, expiredOf(snapshot, node)]) {
    if (former !== undefined && isOpen(former, { config, snapshot })) {
      return { subnet: former, how: "previous" };
    }
  }
  const free = candidates(config, snapshot);
  const subnet = free[pick(Math.max(1, free.length))];
  if (subnet === undefined) throw outOfSubnets(config);
  return { subnet, how: "free" };
}

/** Whether the subnet that the host is in is free, and that not because somebody wants it out of there. */
function canStay({ config, snapshot, current }: AllocateRequest): boolean {
  if (current === undefined || !isOpen(current, { config, snapshot })) return false;
  return !snapshot.past.some(({ key, how }) => how === "released" && subnetOfKey(key) === current);
}

/** The subnet of the node's lease that expired last. */
function expiredOf({ past }: Snapshot, node: string): string | undefined {
  const own = past.filter((lease) => lease.node === node).sort((a, b) => b.ended - a.ended);
  return own[0] === undefined ? undefined : subnetOfKey(own[0].key);
}

/** Whether it can be leased. What a host remembers of its past comes from a file and may be anything. */
function isOpen(
  subnet: string,
  { config, snapshot }: Pick<AllocateRequest, "config" | "snapshot">,
): boolean {
  try {
    return isSubnetOf(config, parseCidr(subnet)) && isFree(subnet, { config, snapshot });
  } catch {
    return false;
  }
}

/** The wish, canonical. */
function wished(config: NetworkConfig, wish: string): string {
  const cidr = parseCidr(wish);
  if (isSubnetOf(config, cidr)) return formatCidr(cidr);
  const { subnetMin, subnetMax } = config;
  throw invalid(
    "lease.acquire",
    `Cannot lease ${formatCidr(cidr)}: the network's subnets are ${formatCidr(subnetMin)} to ${
      formatCidr(subnetMax)
    }`,
  );
}

function wishTaken(
  wish: string,
  { config, snapshot }: Pick<AllocateRequest, "config" | "snapshot">,
): FlanError {
  const other = holdersOf(wish, { config, snapshot })[0];
  const holder = other === undefined ? "another lease" : holderText(other, config);
  return failed(`Cannot lease ${wish}: it is held by ${holder}`, "flan lease list");
}

function otherHeld(wish: string, subnet: string): FlanError {
  return invalid(
    "lease.acquire",
    `Cannot lease ${wish}: this host holds ${subnet}`,
    `flan lease release ${subnet}`,
  );
}

function duplicateAddress({ subnet, record }: Held, publicIp: string): FlanError {
  return failed(
    `Cannot lease a subnet for ${publicIp}: ${subnet} is held with this address by node ${record.node}`,
    `flan lease revoke ${subnet} --yes if that host is gone, or another --iface or --public-ip`,
  );
}

function outOfSubnets(config: NetworkConfig): FlanError {
  const count = subnetCount(config);
  return new FlanError(
    `Cannot lease a subnet of ${
      formatCidr(config.network)
    }: out of subnets, all ${count} /${config.subnetLength} are taken`,
    {
      op: "lease.acquire",
      code: "out-of-subnets",
      hint: "flan lease list shows who holds them; flan lease revoke frees one",
    },
  );
}

function failed(message: string, hint: string): FlanError {
  return new FlanError(message, { op: "lease.acquire", code: "failed", hint });
}
