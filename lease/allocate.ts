/** Which subnet is this host's: a pure function of the store's contents. */
import { FlanError, invalid } from "../net/errors.ts";
import { type ChooseRequest, chooseSubnets, type Chosen, isOpen, wishedSubnet } from "./choose.ts";
import { addressIn } from "./decode.ts";
import { requireNoFlannel } from "./flannel_hosts.ts";
import { type Held, heldSubnets } from "./held.ts";
import { subnetOfKey, type Subnets, subnetsText } from "./key.ts";
import type { Lease } from "./lease.ts";
import { givesOut } from "./network.ts";
import { isUnclaimed, reservedAddress } from "./reservation.ts";
import type { LeaseRecord } from "./store.ts";
import { isSubnetOf } from "./subnet_range.ts";
import { holderInstead, makeView } from "./view.ts";

export interface AllocateRequest extends ChooseRequest {
  /** The address that this host announces. */
  readonly publicIp: string;
}

export interface Allocation extends Subnets {
  /**
   * `own`: held already; `reserved`: kept free for this host; `taken-over`: held by this host as a flannel host; the
   * others are new leases.
   */
  readonly how: "own" | "reserved" | "taken-over" | Chosen["how"];
  /** The record to update, where the subnet is held already. */
  readonly record: LeaseRecord | undefined;
  /** Further leases of this host, to be given back. Reservations are never among them. */
  readonly surplus: readonly LeaseRecord[];
}

/**
 * This host's subnet: its own lease (known by its node id) while the config allows it; what is reserved for it, by
 * its node id or its address; the lease of the flannel host that had this address; or a new one, as {@link chooseSubnets}
 * says. A host that is in a subnet already takes that one again before another is claimed that is reserved for it, unless
 * somebody has released it: so a reservation waits for the next join, or until the lease is revoked. A lease of another
 * stack than the network's is never this host's for long: it takes the same subnet in a lease of the right form.
 *
 * Throws `failed` where another flan host announces the same address, or holds the wished subnet, and where flannel hosts
 * are in a network of IPv6 alone; `invalid` where the wish does not fit; `out-of-subnets`.
 */
export function allocate(request: AllocateRequest): Allocation {
  const { config, snapshot, node, publicIp } = request;
  requireNoFlannel(config, snapshot);
  const held = heldSubnets(snapshot, (record) => record.node === node || addressIn(record) === publicIp);
  const sameAddress = held.filter(({ lease }) => lease?.publicIp === publicIp);
  const others = sameAddress.filter(({ record }) => record.node !== undefined && record.node !== node);
  // A reservation for an address is for the host that joins with it, whoever was at that address before.
  const left = request.current !== undefined
    ? []
    : others.filter(({ lease }) => reservedAddress(lease!) === publicIp);
  const twin = others.find((one) => !left.includes(one));
  if (twin !== undefined) throw duplicateAddress(twin, publicIp);
  const wishes = wishesOf(request);
  const fits = ({ record }: Held) => givesOut(config, record.key);
  const isReserved = (one: Held) =>
    left.includes(one) || one.lease !== undefined && isUnclaimed(one.lease, config);
  const own = held.filter((one) => one.record.node === node && !isReserved(one));
  const reserved = held.filter((one) =>
    isReserved(one) && (wishes.wish === undefined || one.subnet === wishes.wish)
  );
  const former = sameAddress.filter((one) => one.record.node === undefined && !isReserved(one));
  // In dual stack a lease that has its key may have lost its IPv6 subnet to another.
  const isWhole = (one: Held) =>
    config.ipv6 === undefined ||
    holderInstead(snapshot, { subnets: one, isOwn: (lease) => lease.node === node, network: config }) ===
      undefined;
  const mine = own.find((one) => fits(one) && isWhole(one));
  const forMe = reserved.find((one) => one.subnet === request.current && fits(one)) ??
    (canStay(request) ? undefined : reserved.find(fits));
  const kept = mine ?? forMe ?? former.find(fits);
  const leaving = own.filter((other) => other !== kept && other.record.expires !== undefined);
  const surplus = leaving.map(({ record }) => record);
  if (kept === undefined) {
    return { ...chosen({ ...request, ...wishes }, leaving), record: undefined, surplus };
  }
  requireGranted(wishes, kept);
  const { subnet, subnet6, record } = kept;
  const how = kept === mine ? "own" : kept === forMe ? "reserved" : "taken-over";
  return { subnet, ...(config.ipv6 === undefined ? {} : { subnet6 }), how, record, surplus };
}

/**
 * The lease that a host goes on with where {@link allocate} found no free subnet for it: in dual stack the own one as the
 * store has it, if that lacks no more than a subnet of IPv6. Throws `error`, which is what `allocate` threw, otherwise.
 */
export function keptInstead(
  error: unknown,
  { config, snapshot, node }: Pick<AllocateRequest, "config" | "snapshot" | "node">,
): Lease {
  const isFull = error instanceof FlanError && error.code === "out-of-subnets";
  const usable = isFull && config.ipv6 !== undefined
    ? makeView(snapshot, { node, network: config }).own
    : undefined;
  const [held] = heldSubnets(snapshot, (record) => record.node === node).filter(({ lease, subnet }) =>
    lease !== undefined && subnet === usable?.subnet
  );
  if (held === undefined) throw error;
  return held.lease!;
}

/** A new lease. What the host is about to leave for the sake of its form only, it takes again. */
function chosen(request: AllocateRequest, left: readonly Held[]): Chosen {
  const { config, snapshot } = request;
  const misshapen = left.filter(({ cidr }) => isSubnetOf(config, cidr));
  const [first] = misshapen;
  if (first === undefined) return chooseSubnets(request);
  const gone = new Set(misshapen.map(({ record }) => record));
  return chooseSubnets({
    ...request,
    snapshot: { ...snapshot, records: snapshot.records.filter((record) => !gone.has(record)) },
    current: first.subnet,
  });
}

/** Whether the subnet that the host is in is free, and that not because somebody wants it out of there. */
function canStay({ config, current, snapshot }: AllocateRequest): boolean {
  if (current === undefined || !isOpen(current, { config, snapshot })) return false;
  return !snapshot.past.some(({ key, how }) => how === "released" && subnetOfKey(key) === current);
}

/** The wishes, canonical. */
function wishesOf(
  { config, wish, wish6 }: AllocateRequest,
): { readonly wish: string | undefined; readonly wish6: string | undefined } {
  if (wish6 !== undefined && config.ipv6 === undefined) {
    throw invalid("lease.acquire", `Cannot lease ${wish6}: the network has no IPv6 beside IPv4`);
  }
  return {
    wish: wish === undefined ? undefined : wishedSubnet(config, wish),
    wish6: wish6 === undefined ? undefined : wishedSubnet(config.ipv6!, wish6),
  };
}

function requireGranted(
  { wish, wish6 }: { readonly wish: string | undefined; readonly wish6: string | undefined },
  { subnet, subnet6 }: Held,
): void {
  const refused = wish !== undefined && wish !== subnet
    ? wish
    : wish6 !== undefined && wish6 !== subnet6
    ? wish6
    : undefined;
  if (refused === undefined) return;
  throw invalid(
    "lease.acquire",
    `Cannot lease ${refused}: this host holds ${subnetsText({ subnet, subnet6 })}`,
    `flan lease release ${subnet}`,
  );
}

function duplicateAddress({ subnet, record }: Held, publicIp: string): FlanError {
  return new FlanError(
    `Cannot lease a subnet for ${publicIp}: ${subnet} is held with this address by node ${record.node}`,
    {
      op: "lease.acquire",
      code: "failed",
      hint: `flan lease revoke ${subnet} --yes if that host is gone, or another --iface or --public-ip`,
    },
  );
}
