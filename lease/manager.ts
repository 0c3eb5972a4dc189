/** What a host does with its lease, on any store. Every write is a compare-and-swap and is tried again when it loses. */
import type { Clock } from "../net/clock.ts";
import { FlanError, isStoreTrouble } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import type { Logger } from "../net/log.ts";
import { allocate, type Allocation } from "./allocate.ts";
import { isConflict, untilWon } from "./conflict.ts";
import { decodeRecord, encodeLease, isRefusal } from "./decode.ts";
import type { Wishes } from "./choose.ts";
import { createLease } from "./create.ts";
import { leaseKey, subnetOfKey, type Subnets, subnetsText } from "./key.ts";
import type { Lease } from "./lease.ts";
import { parseNetworkConfig } from "./network.ts";
import { encodeOtherPlanes, type OtherPlane } from "./other_planes.ts";
import { reservedAddress } from "./reservation.ts";
import type { LeaseRecord, NewRecord, Snapshot, Store, StoredConfig } from "./store.ts";
import { warnOfClock } from "./suspect_clock.ts";

/** What a host wants its lease to say. */
export interface Claim extends Wishes {
  /** flan's identity of the host. */
  readonly node: string;
  readonly publicIp: string;
  readonly backendType: string;
  readonly backendData: Json | undefined;
  /** What it says for IPv6, in dual stack. */
  readonly publicIp6?: string | undefined;
  readonly backendV6Data?: Json | undefined;
  /** By what else it can be reached for now. */
  readonly otherPlanes?: readonly OtherPlane[];
  /** Seconds the lease lives without renewal; a reservation does not expire in spite of it. */
  readonly ttl: number;
}

/**
 * The network's config, written first where there is none. Two hosts may try at once: one starts the network,
 * the other finds it. Throws `invalid` for a config that cannot be used, and what the store throws.
 */
export async function ensureNetwork(
  store: Store,
  wanted: Json,
): Promise<{ config: StoredConfig; started: boolean }> {
  // A damaged store is mended by whoever writes next; one that is away fails the write as well.
  const found = (await store.read().catch(unlessStore))?.config;
  if (found !== undefined) return { config: found, started: false };
  parseNetworkConfig(wanted);
  try {
    return { config: await store.writeConfig(wanted, 0), started: true };
  } catch (error) {
    const theirs = isConflict(error) ? (await store.read()).config : undefined;
    if (theirs === undefined) throw error;
    return { config: theirs, started: false };
  }
}

/**
 * This host's lease, created, refreshed or taken over as {@link allocate} says. A call whose reply was lost
 * can be repeated: the lease that it made is found again by the node id. Throws what `allocate` and the store
 * throw, and `conflict` after 60 lost rounds.
 */
export async function acquire(
  store: Store,
  claim: Claim,
  { clock, log }: { clock: Clock; log: Logger },
): Promise<Lease> {
  return await untilWon(clock, async (round) => {
    const snapshot = await store.read();
    if (round === 0 && store.usesLocalClock) warnOfClock(snapshot, { node: claim.node, log });
    // In order as long as nobody is in the way, at random once somebody was.
    const pick = round === 0 ? undefined : (count: number) => clock.random(count);
    const config = networkOf(store, snapshot);
    const choice = allocate({ ...claim, config, snapshot, pick });
    const wanted = recordOf(claim, choice, choice.record);
    const record = choice.record === undefined
      ? await createLease(store, wanted, config)
      : await store.update(wanted, choice.record.revision);
    await giveBack(store, choice, log);
    log.log("debug", `Leased ${subnetsText(choice)}`, { subnet: choice.subnet, how: choice.how, round });
    return leaseOf(record);
  });
}

/**
 * Prolongs the lease and lets it say what the claim says. Where the store holds another revision of it, it is
 * still renewed as long as it is this host's; otherwise throws `conflict`: the lease is lost.
 */
export async function renew(store: Store, lease: Lease, claim: Claim): Promise<Lease> {
  const [key, expected] = [leaseKey(lease), lease.revision];
  const wanted = recordOf(claim, lease, lease);
  try {
    // Where nothing is new to peers, a store need not tell them.
    return leaseOf(
      JSON.stringify([encodeLease(lease), encodeOtherPlanes(lease.otherPlanes)]) ===
          JSON.stringify([wanted.value, wanted.otherPlanes])
        ? await store.renew(key, { expected, ttl: claim.ttl })
        : await store.update(wanted, expected),
    );
  } catch (error) {
    if (!isConflict(error)) throw error;
    const record = (await store.read()).records.find((other) => other.key === key);
    if (record === undefined || record.node !== claim.node) throw lost(lease, record);
    return leaseOf(await store.update(recordOf(claim, lease, record), record.revision));
  }
}

/** Renews the lease of the host `node` for `ttl` seconds, whatever it says. Throws as {@link renew} does. */
export async function prolong(
  store: Store,
  lease: Lease,
  { node, ttl }: { node: string; ttl: number },
): Promise<Lease> {
  return await renew(store, lease, { ...lease, node, ttl });
}

/** The lease that the claim would be of these subnets. Throws `invalid` for one that peers would refuse. */
export function plannedLease(claim: Claim, subnets: Subnets): Lease {
  return leaseOf({ ...recordOf(claim, subnets, undefined), expires: undefined, revision: 0 });
}

async function giveBack(store: Store, { subnet, surplus }: Allocation, log: Logger): Promise<void> {
  for (const record of surplus) {
    try {
      await store.remove(record.key, record.revision);
      log.log("info", `Gave back ${subnetOfKey(record.key)}: this host holds ${subnet}`, { subnet });
    } catch (error) {
      if (!isConflict(error)) throw error;
      // Somebody changed it meanwhile; if it is still ours, the next acquire sees it again.
    }
  }
}

function networkOf(store: Store, snapshot: Snapshot) {
  if (snapshot.config !== undefined) return parseNetworkConfig(snapshot.config.value);
  throw new FlanError(`Cannot lease a subnet from ${store.url}: no network was started there`, {
    op: "lease.acquire",
    code: "store",
    hint: "flan up --network 10.244.0.0/16",
  });
}

/**
 * What the claim writes in the place of `before`; checked before it is written, because every peer would refuse a bad
 * one. A reservation stays one, and for the same address, when its holder claims or renews it.
 */
function recordOf(claim: Claim, subnets: Subnets, before: LeaseRecord | Lease | undefined): NewRecord {
  const former = before !== undefined && "key" in before ? decodeRecord(before) : before;
  const reservedIp = former === undefined || isRefusal(former) ? undefined : reservedAddress(former);
  const otherPlanes = encodeOtherPlanes(claim.otherPlanes);
  const own = {
    node: claim.node,
    ...(reservedIp === undefined ? {} : { reservedIp }),
    ...(otherPlanes === undefined ? {} : { otherPlanes }),
  };
  const record = { key: leaseKey(subnets), value: encodeLease(claim), ...own };
  leaseOf({ ...record, expires: undefined, revision: 0 });
  return { ...record, ttl: before !== undefined && before.expires === undefined ? undefined : claim.ttl };
}

function leaseOf(record: LeaseRecord): Lease {
  const lease = decodeRecord(record);
  if (!isRefusal(lease)) return lease;
  throw new FlanError(`Cannot use the lease of ${lease.subnet}: ${lease.reason}`, {
    op: "lease.acquire",
    code: "invalid",
  });
}

function lost(lease: Lease, record: LeaseRecord | undefined): FlanError {
  const why = record === undefined ? "it is gone" : `it is held by ${record.node ?? "a flannel host"} now`;
  return new FlanError(`Cannot renew ${lease.subnet}: ${why}`, { op: "lease.renew", code: "conflict" });
}

function unlessStore(error: unknown): undefined {
  if (!isStoreTrouble(error)) throw error;
}
