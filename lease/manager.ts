/** What a host does with its lease, on any store. Every write is a compare-and-swap and is tried again when it loses. */
import type { Clock } from "../net/clock.ts";
import { FlanError, isStoreTrouble } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import type { Logger } from "../net/log.ts";
import { allocate, type Allocation } from "./allocate.ts";
import { isConflict, ROUNDS, untilWon } from "./conflict.ts";
import { decodeRecord, encodeLease, isRefusal } from "./decode.ts";
import { subnetKey, subnetOfKey } from "./key.ts";
import type { Lease } from "./lease.ts";
import { parseNetworkConfig } from "./network.ts";
import type { LeaseRecord, NewRecord, Snapshot, Store, StoredConfig } from "./store.ts";
import { warnOfClock } from "./suspect_clock.ts";

/** What a host wants its lease to say. */
export interface Claim {
  /** flan's identity of the host. */
  readonly node: string;
  readonly publicIp: string;
  readonly backendType: string;
  readonly backendData: Json | undefined;
  /** Seconds the lease lives without renewal; a reservation does not expire in spite of it. */
  readonly ttl: number;
  /** The subnet this host must get. */
  readonly wish?: string | undefined;
  /** The subnet this host had once. */
  readonly previous?: string | undefined;
}

/** Upper limit of the pause between rounds, milliseconds; it grows with the rounds. */
const LONGEST_PAUSE = 1000;

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
  for (let round = 0;; round++) {
    const snapshot = await store.read();
    if (round === 0) warnOfClock(snapshot, { node: claim.node, log });
    // In order as long as nobody is in the way, at random once somebody was.
    const pick = round === 0 ? undefined : (count: number) => clock.random(count);
    const choice = allocate({ ...claim, config: networkOf(store, snapshot), snapshot, pick });
    try {
      const record = choice.record === undefined
        ? await store.create(recordOf(claim, choice.subnet, claim.ttl))
        : await store.update(
          recordOf(claim, choice.subnet, ttlOf(choice.record, claim)),
          choice.record.revision,
        );
      await giveBack(store, choice, log);
      log.log("debug", `Leased ${choice.subnet}`, { subnet: choice.subnet, how: choice.how, round });
      return leaseOf(record);
    } catch (error) {
      if (!isConflict(error) || round === ROUNDS - 1) throw error;
    }
    await clock.sleep(clock.random(Math.min(10 * 2 ** round, LONGEST_PAUSE)));
  }
}

/**
 * Prolongs the lease and lets it say what the claim says. Where the store holds another revision of it, it is
 * still renewed as long as it is this host's; otherwise throws `conflict`: the lease is lost.
 */
export async function renew(store: Store, lease: Lease, claim: Claim): Promise<Lease> {
  const ttl = lease.expires === undefined ? undefined : claim.ttl;
  const [key, expected] = [subnetKey(lease.subnet), lease.revision];
  try {
    // Where nothing is new to peers, a store need not tell them.
    return leaseOf(
      saysTheSame(lease, claim)
        ? await store.renew(key, { expected, ttl: claim.ttl })
        : await store.update(recordOf(claim, lease.subnet, ttl), expected),
    );
  } catch (error) {
    if (!isConflict(error)) throw error;
    const record = (await store.read()).records.find((other) => other.key === key);
    if (record === undefined || record.node !== claim.node) throw lost(lease, record);
    return leaseOf(
      await store.update(recordOf(claim, lease.subnet, ttlOf(record, claim)), record.revision),
    );
  }
}

/**
 * Gives back one subnet, whoever holds it, or what a node holds, and returns the subnets. A node's reservations stay:
 * they are the administrator's, and only naming the subnet removes one. A lease that another host takes meanwhile is
 * left.
 */
export async function release(
  store: Store,
  which: { readonly subnet: string } | { readonly node: string },
): Promise<string[]> {
  const isMeant = "subnet" in which
    ? ({ key }: LeaseRecord) => subnetOfKey(key) === which.subnet
    : ({ node, expires }: LeaseRecord) => node === which.node && expires !== undefined;
  const holders = new Map<string, string | undefined>();
  const released: string[] = [];
  return await untilWon(async () => {
    const meant = (await store.read()).records.filter((record) =>
      isMeant(record) && (!holders.has(record.key) || holders.get(record.key) === record.node)
    );
    for (const record of meant) {
      holders.set(record.key, record.node);
      await store.remove(record.key, record.revision);
      released.push(subnetOfKey(record.key) ?? record.key);
    }
    return released;
  });
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

/** What the claim writes; checked before it is written, because every peer would refuse a bad one. */
function recordOf(claim: Claim, subnet: string, ttl: number | undefined): NewRecord {
  const record = { key: subnetKey(subnet), value: encodeLease(claim), node: claim.node };
  leaseOf({ ...record, expires: undefined, revision: 0 });
  return { ...record, ttl };
}

/** A reservation stays one when its holder claims or renews it. */
function ttlOf(record: LeaseRecord, claim: Claim): number | undefined {
  return record.expires === undefined ? undefined : claim.ttl;
}

function leaseOf(record: LeaseRecord): Lease {
  const lease = decodeRecord(record);
  if (!isRefusal(lease)) return lease;
  throw new FlanError(`Cannot use the lease of ${lease.subnet}: ${lease.reason}`, {
    op: "lease.acquire",
    code: "invalid",
  });
}

function saysTheSame(lease: Lease, claim: Claim): boolean {
  return JSON.stringify(encodeLease(lease)) === JSON.stringify(encodeLease(claim));
}

function lost(lease: Lease, record: LeaseRecord | undefined): FlanError {
  const why = record === undefined ? "it is gone" : `it is held by ${record.node ?? "a flannel host"} now`;
  return new FlanError(`Cannot renew ${lease.subnet}: ${why}`, { op: "lease.renew", code: "conflict" });
}

function unlessStore(error: unknown): undefined {
  if (!isStoreTrouble(error)) throw error;
}
