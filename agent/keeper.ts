/** The own lease, kept: renewed in time, announced anew when the host changes, taken again when it was lost. */
import type { Clock } from "../net/clock.ts";
import { FlanError, isStoreTrouble } from "../net/errors.ts";
import type { Logger } from "../net/log.ts";
import type { Lease } from "../lease/lease.ts";
import { acquire, type Claim, renew } from "../lease/manager.ts";
import type { LeaseRecord, Snapshot, Store } from "../lease/store.ts";
import { decodeRecord, isRefusal } from "../lease/decode.ts";
import { subnetKey } from "../lease/key.ts";
import { isUnclaimed } from "../lease/reservation.ts";
import { covers, parseCidr } from "../net/ip.ts";
import type { Backend, Host } from "../backends/backend.ts";
import type { NetworkConfig } from "../lease/network.ts";
import { rememberSubnet } from "./host_state.ts";
import { Overwritten } from "./overwritten.ts";

/** A lease is renewed when a third of its life is left, so that two renewals may fail before it ends. */
const RENEW_AT = 1 / 3;
const RETRY_MS = { first: 1000, most: 60_000 };

export interface KeeperParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly stateDir: string;
  /** Seconds. */
  readonly leaseTtl: number;
}

/** What this host says of itself in its lease. */
export function claimOf(
  host: Host,
  { config, backend, ttl }: { config: NetworkConfig; backend: Backend; ttl: number },
): Claim {
  return { node: host.node, publicIp: host.publicIp, ...backend.announce(config, host), ttl };
}

/** What became of the lease. */
export interface Kept {
  readonly own: Lease | undefined;
  /**
   * The first lease that was lost, where this host has another subnet now or none: what lives in the old
   * subnet (containers) is cut off until this host has it again.
   */
  readonly lost: Lease | undefined;
  /** What somebody else with this host's identity says in the lease: a clone of this host, most likely. */
  readonly rival: Lease | undefined;
  /** What a flannel host with this host's address wrote over it; see {@link Overwritten}. */
  readonly overwritten: Lease | undefined;
  /** Why the lease could not be taken or renewed, until it can. */
  readonly error: unknown;
}

export class LeaseKeeper {
  #own: Lease | undefined;
  #announced = "";
  /** Monotonic time at which the lease is renewed even if the wall clock was set back. */
  #renewBy = Infinity;
  #failures = 0;
  #error: unknown;
  #lost: Lease | undefined;
  #rival: Lease | undefined;
  #retryAt = 0;
  readonly #overwritten: Overwritten;
  /** Whether the lease is overwritten now, and left so until its time comes. */
  #left = false;
  readonly #parts: KeeperParts;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
    this.#overwritten = new Overwritten(parts.clock);
  }

  get own(): Lease | undefined {
    return this.#own;
  }

  /** Takes a lease: the own one if the store has it, else the previous subnet if free, else another. */
  async acquire(claim: Claim, previous: string | undefined): Promise<Lease> {
    const { store, stateDir } = this.#parts;
    const wanted = previous === undefined ? claim : { ...claim, previous };
    const lease = await acquire(store, wanted, this.#parts);
    this.#hold(lease, claim);
    await rememberSubnet(stateDir, { subnet: lease.subnet, store: store.url });
    return lease;
  }

  /**
   * Compares the own lease with the store and does what is due. While the store cannot be reached nothing is
   * given up; after a failure nothing is tried before its time.
   */
  async keep(snapshot: Snapshot, { claim, config }: { claim: Claim; config: NetworkConfig }): Promise<Kept> {
    const before = this.#own;
    const now = this.#parts.clock.monotonic();
    if (isAnothers(snapshot, this.#own, claim)) this.#own = undefined;
    if (now < this.#retryAt) return this.#keptAfter(before);
    let taken = false;
    try {
      const stored = await this.#stored(snapshot, { claim, config });
      const overwriter = overwriterOf(stored, claim);
      // Nothing is announced and nothing given up meanwhile: the subnet and the address are this host's in any case.
      this.#left = overwriter !== undefined && this.#overwritten.nextIn() > 0;
      if (this.#left) return this.#kept();
      const known = overwriter === undefined && this.#takeIn(stored);
      // Peers refuse what is outside the network. A lease that only a new one would not get is kept.
      taken = !known || !covers(config.network, parseCidr(this.#own!.subnet));
      if (taken) {
        await this.acquire(claim, before?.subnet ?? this.#lost?.subnet);
        if (overwriter !== undefined) this.#overwritten.takenBack(overwriter);
      } else if (this.#due() || announcement(claim) !== this.#announced) {
        const renewed = await renew(this.#parts.store, this.#own!, claim).catch(unlessConflict);
        // It ended, or was taken, before any snapshot said so: the clock was set, or the store was away.
        taken = renewed === undefined;
        if (renewed === undefined) await this.acquire(claim, before?.subnet);
        else this.#hold(renewed, claim);
      }
      this.#succeeded();
    } catch (error) {
      this.#failed(error, now);
      // The store says that the subnet is not ours and that there is no other: nothing may be announced.
      if (taken && isAnswer(error)) this.#own = undefined;
    }
    return this.#keptAfter(before);
  }

  /** What failed may be tried again at once: the store is back. */
  hasten(): void {
    this.#retryAt = 0;
  }

  /** Lets the next {@link keep} renew the lease, due or not; a reservation has nothing to renew. */
  renewNow(): void {
    this.#renewBy = -Infinity;
  }

  /** Milliseconds until {@link keep} has something to do. */
  nextIn(): number {
    const { clock } = this.#parts;
    const until = this.#overwritten.nextIn();
    // As long as it is left alone, what failed before is not tried again either.
    if (this.#left && until > 0) return until;
    if (this.#failures > 0) return Math.max(0, this.#retryAt - clock.monotonic());
    return this.#left ? 0 : Math.min(until > 0 ? until : Infinity, this.#renewIn());
  }

  #renewIn(): number {
    const { clock, leaseTtl } = this.#parts;
    const { expires } = this.#own ?? {};
    if (expires === undefined) return Infinity;
    // Where the store ends leases by its own clock (`expires` is Infinity), the monotonic time alone decides.
    const byWall = expires - leaseTtl * 1000 * RENEW_AT - clock.now();
    return Math.max(0, Math.min(byWall, this.#renewBy - clock.monotonic()));
  }

  /** The record of our lease, or the one that stands in its place. */
  async #stored(snapshot: Snapshot, whose: Omit<Whose, "own">): Promise<LeaseRecord | undefined> {
    const own = this.#own;
    if (own === undefined) return undefined;
    const stored = storedIn(snapshot, { ...whose, own });
    if (snapshot.revision >= own.revision || stored?.revision === own.revision) return stored;
    // The snapshot is from before our last write, or from a store that was restored, which never will know of it.
    return storedIn(await this.#parts.store.read(), { ...whose, own });
  }

  /** Takes in what the store says of our lease; returns whether it has one. */
  #takeIn(stored: LeaseRecord | undefined): boolean {
    if (stored === undefined) return false;
    const own = this.#own!;
    // A store that was restored holds an older revision, and writes are checked against that one.
    const another = stored.key !== subnetKey(own.subnet) || stored.revision !== own.revision;
    const lease = another ? decodeRecord(stored) : own;
    if (isRefusal(lease)) return true;
    // Two that correct each other would only make their peers switch to and fro; it is told, and left.
    if (another) this.#rival = announcement(lease) === this.#announced ? undefined : lease;
    // A reservation that was ended has to be renewed from now on, and how soon its store alone may know.
    if (own.expires === undefined && lease.expires !== undefined) this.renewNow();
    this.#own = lease;
    return true;
  }

  #hold(lease: Lease, claim: Claim): void {
    const { clock, leaseTtl } = this.#parts;
    this.#own = lease;
    this.#announced = announcement(claim);
    this.#rival = undefined;
    this.#renewBy = lease.expires === undefined
      ? Infinity
      : clock.monotonic() + leaseTtl * 1000 * (1 - RENEW_AT);
  }

  #due(): boolean {
    const { expires } = this.#own!;
    return expires !== undefined && (this.#failures > 0 || this.#renewIn() === 0);
  }

  #keptAfter(before: Lease | undefined): Kept {
    this.#lost ??= before;
    if (this.#lost?.subnet === this.#own?.subnet) this.#lost = undefined;
    return this.#kept();
  }

  #kept(): Kept {
    const overwritten = this.#overwritten.by;
    return { own: this.#own, lost: this.#lost, rival: this.#rival, overwritten, error: this.#error };
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#error = undefined;
  }

  #failed(error: unknown, now: number): void {
    this.#failures++;
    this.#error = error;
    const wait = Math.min(RETRY_MS.first * 2 ** (this.#failures - 1), RETRY_MS.most);
    this.#retryAt = now + wait / 2 + this.#parts.clock.random(Math.ceil(wait / 2));
  }
}

interface Whose {
  readonly own: Lease;
  readonly claim: Claim;
  readonly config: NetworkConfig;
}

/**
 * Our lease, preferably under the key that it has, or else what a host without flan's identity wrote there. What is
 * only reserved for us is not ours before we claim it.
 */
function storedIn({ records }: Snapshot, { own, claim, config }: Whose): LeaseRecord | undefined {
  const key = subnetKey(own.subnet);
  const ours = records.filter((record) => {
    if (record.node !== claim.node) return false;
    const lease = decodeRecord(record);
    return isRefusal(lease) || !isUnclaimed(lease, config);
  });
  return ours.find((record) => record.key === key) ?? ours[0] ??
    records.find((record) => record.key === key && overwriterOf(record, claim) !== undefined);
}

/**
 * Whether the store says that the subnet is another host's. It is given up before there is another: two hosts that
 * announce one subnet are worse than one without any, and a store that takes no writes may still tell.
 */
function isAnothers({ records, revision }: Snapshot, own: Lease | undefined, claim: Claim): boolean {
  if (own === undefined || revision < own.revision) return false;
  const record = records.find(({ key }) => key === subnetKey(own.subnet));
  if (record === undefined || record.node === claim.node) return false;
  const lease = decodeRecord(record);
  return !isRefusal(lease) && lease.publicIp !== claim.publicIp;
}

/** What a record says that a flannel host with our address wrote, or undefined for any other record. */
function overwriterOf(record: LeaseRecord | undefined, { publicIp }: Claim): Lease | undefined {
  if (record === undefined || record.node !== undefined) return undefined;
  const lease = decodeRecord(record);
  return isRefusal(lease) || lease.publicIp !== publicIp ? undefined : lease;
}

function unlessConflict(error: unknown): undefined {
  if (!(error instanceof FlanError && error.code === "conflict")) throw error;
}

/** Whether the store could be asked, and said no. */
function isAnswer(error: unknown): boolean {
  return error instanceof FlanError && !isStoreTrouble(error) && error.code !== "conflict";
}

function announcement(said: Pick<Lease, "publicIp" | "backendType" | "backendData">): string {
  return JSON.stringify([said.publicIp, said.backendType, said.backendData]);
}
