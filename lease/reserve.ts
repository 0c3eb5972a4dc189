/** Reservations, made and ended: a subnet that is held back for a node, for an address or from everybody. */
import { FlanError, invalid } from "../net/errors.ts";
import { parseCidr } from "../net/ip.ts";
import type { Clock } from "../net/clock.ts";
import { chooseSubnets, rangeText } from "./choose.ts";
import { untilWon } from "./conflict.ts";
import { createLease } from "./create.ts";
import { decodeRecord, isRefusal } from "./decode.ts";
import { type Held, holdersOf, holderText } from "./held.ts";
import { isDualStackKey, leaseKey, subnetsIn } from "./key.ts";
import type { Lease } from "./lease.ts";
import { type NetworkConfig, parseNetworkConfig } from "./network.ts";
import { isUnclaimed, reservedAddress, reservedFor, reservedValue } from "./reservation.ts";
import type { LeaseRecord, Snapshot, Store } from "./store.ts";
import { isSubnetOf, type SubnetRange } from "./subnet_range.ts";

/** Whom a subnet is to be held back for; from everybody where neither is given. */
export interface Beneficiary {
  readonly node?: string | undefined;
  readonly publicIp?: string | undefined;
}

/**
 * What became of the record: `reserved` and `removed` are the plain cases; a running lease was `kept` as a
 * reservation, or `leased` again; `same` where there was nothing to do.
 */
export interface Outcome {
  readonly how: "reserved" | "kept" | "removed" | "leased" | "same";
  /** What stands there now, where anything does. */
  readonly lease: Lease | undefined;
}

/**
 * Reserves `subnet`, in dual stack with `subnet6`, or a free IPv6 subnet where none is named. A running lease of whoever it is for (`self`, where nobody is named) becomes a reservation:
 * its value stays and its end is taken away. Reserving the same twice is done.
 *
 * Throws `invalid` for what is no subnet of the network, `failed` where somebody else holds any of it.
 */
export async function reserve(
  store: Store,
  { subnet, subnet6, self, clock, ...whom }: Beneficiary & {
    subnet: string;
    subnet6?: string | undefined;
    self: string | undefined;
    clock: Clock;
  },
): Promise<Outcome> {
  const config = networkOf(await store.read());
  requireOf(config, { subnet, subnet6 });
  return await untilWon(clock, async () => {
    const snapshot = await store.read();
    const held = [subnet, subnet6].flatMap((one) =>
      one === undefined ? [] : holdersOf(one, { config, snapshot })
    );
    const reservation = { value: reservedValue(whom.publicIp), node: whom.node, ttl: undefined };
    if (held.length === 0) {
      const key = leaseKey(chooseSubnets({ config, snapshot, node: "", wish: subnet, wish6: subnet6 }));
      const record = await createLease(store, { key, ...reservation }, config);
      return { how: "reserved", lease: leaseOf(record) };
    }
    const at = held.find((one) => isMeant(one, { subnet, subnet6, isDual: config.ipv6 !== undefined }));
    const other = held.find((one) => one.record !== at?.record);
    if (at?.lease === undefined || other !== undefined) throw taken(subnet, { held: other ?? at!, config });
    const fresh = { key: at.record.key, ...reservation };
    const { record, lease } = at;
    const isTheirs = whom.node === undefined && whom.publicIp === undefined
      ? record.expires === undefined || self !== undefined && record.node === self
      : isFor(lease, whom);
    if (record.expires === undefined && isTheirs) return { how: "same", lease };
    const isOpen = isUnclaimed(lease, config) && reservedFor(lease) === "for nobody";
    if (!isTheirs && !isOpen) throw taken(subnet, { held: at, config });
    // A host's own lease that becomes one for its address stays one when the host is another.
    const reservedIp = record.node === undefined ? undefined : whom.publicIp;
    const { value, node, otherPlanes } = record;
    const wanted = isTheirs ? { ...fresh, value, node, otherPlanes, reservedIp } : fresh;
    const lasting = leaseOf(await store.update(wanted, record.revision));
    return { how: isTheirs ? "kept" : "reserved", lease: lasting };
  });
}

/**
 * Ends the reservation of `subnet`: removes it where nobody has claimed it, and otherwise lets the holder's lease
 * live for `ttl` seconds unless it renews. Where nothing is reserved there is nothing to do.
 */
export async function unreserve(
  store: Store,
  { subnet, ttl, clock }: { subnet: string; ttl: number; clock: Clock },
): Promise<Outcome> {
  const exact = leaseKey({ subnet });
  return await untilWon(clock, async () => {
    const snapshot = await store.read();
    const record = snapshot.records.find(({ key }) => key === exact) ??
      snapshot.records.find(({ key }) => subnetsIn(key).includes(subnet));
    if (record === undefined) return { how: "same", lease: undefined };
    const { key } = record;
    const lease = decodeRecord(record);
    if (record.expires !== undefined) return { how: "same", lease: isRefusal(lease) ? undefined : lease };
    if (isRefusal(lease) || isUnclaimed(lease, networkOf(snapshot))) {
      await store.remove(key, record.revision);
      return { how: "removed", lease: undefined };
    }
    const { value, node, otherPlanes } = record;
    const leased = { key, value, node, otherPlanes, ttl };
    return { how: "leased", lease: leaseOf(await store.update(leased, record.revision)) };
  });
}

/** Whether the record is the one of the subnets, in the form that the network's leases have. */
function isMeant(
  { record, subnet, subnet6 }: Held,
  wanted: { subnet: string; subnet6: string | undefined; isDual: boolean },
): boolean {
  return subnet === wanted.subnet && isDualStackKey(record.key) === wanted.isDual &&
    (wanted.subnet6 === undefined || wanted.subnet6 === subnet6);
}

function requireOf(
  config: NetworkConfig,
  { subnet, subnet6 }: { subnet: string; subnet6: string | undefined },
) {
  if (!isSubnetOf(config, parseCidr(subnet))) throw notOfNetwork(subnet, config);
  if (subnet6 === undefined) return;
  if (config.ipv6 === undefined) {
    throw invalid("lease.reserve", `Cannot reserve ${subnet6}: the network has no IPv6 beside IPv4`);
  }
  if (!isSubnetOf(config.ipv6, parseCidr(subnet6))) throw notOfNetwork(subnet6, config.ipv6);
}

function isFor(lease: Lease, whom: Beneficiary): boolean {
  if (whom.node !== undefined) return lease.node === whom.node;
  return (reservedAddress(lease) ?? lease.publicIp) === whom.publicIp;
}

function networkOf({ config }: Snapshot): NetworkConfig {
  if (config !== undefined) return parseNetworkConfig(config.value);
  throw new FlanError("Cannot reserve a subnet: no network was started", {
    op: "lease.reserve",
    code: "store",
  });
}

function leaseOf(record: LeaseRecord): Lease | undefined {
  const lease = decodeRecord(record);
  return isRefusal(lease) ? undefined : lease;
}

function notOfNetwork(subnet: string, range: SubnetRange): FlanError {
  return invalid("lease.reserve", `Cannot reserve ${subnet}: the network's subnets are ${rangeText(range)}`);
}

function taken(subnet: string, { held, config }: { held: Held; config: NetworkConfig }): FlanError {
  const { lease, record } = held;
  const unclaimed = lease !== undefined && isUnclaimed(lease, config);
  const keep = record.node === undefined ? `--for-ip ${lease?.publicIp}` : `--for ${record.node}`;
  const hint = unclaimed
    ? `flan lease unreserve ${held.subnet}`
    : held.subnet === subnet && lease !== undefined
    ? `flan lease reserve ${subnet} ${keep} keeps it for its holder`
    : "flan lease list";
  return new FlanError(`Cannot reserve ${subnet}: it is held by ${holderText(held, config)}`, {
    op: "lease.reserve",
    code: "failed",
    hint,
  });
}
