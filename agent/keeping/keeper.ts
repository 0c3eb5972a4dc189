/** The own lease, kept: renewed in time, announced anew when the host changes, taken again when it was lost. */
import type { Backend, Host } from "../../backends/backend.ts";
import { keptInstead } from "../../lease/allocate.ts";
import { isConflict } from "../../lease/conflict.ts";
import type { Lease } from "../../lease/lease.ts";
import { acquire, type Claim, renew } from "../../lease/manager.ts";
import type { NetworkConfig } from "../../lease/network.ts";
import type { Snapshot, Store } from "../../lease/store.ts";
import type { Clock } from "../../net/clock.ts";
import { isStoreTrouble } from "../../net/errors.ts";
import { covers, parseCidr } from "../../net/ip.ts";
import type { Logger } from "../../net/log.ts";
import { Holding } from "./holding.ts";
import { type HostState, rememberSubnet } from "../host_state.ts";
import { Overwritten } from "./overwritten.ts";
import { isAnothers, isIpv6Anothers, isUsableIn, overwriterOf, storedIn, type Whose } from "./own_record.ts";
import { Retry } from "../retry.ts";
import { isAnswer, SecondHalf } from "./second_half.ts";

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
  const addresses = { publicIp: host.publicIp, publicIp6: host.ipv6?.publicIp };
  return { node: host.node, ...addresses, ...backend.announce(config, host), ttl };
}

/** The subnets that a host had last. */
export type Former = Partial<Pick<HostState, "previous" | "previous6">>;

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
  /** Why this host lacks a subnet of IPv6 that its network has, until it has one. Its lease goes on without. */
  readonly ipv6Error: unknown;
  /** Whether the store could be read all the same. */
  readonly isReadable: boolean;
  /** Whether the lease has ended meanwhile, as far as this host can know. */
  readonly isEnded: boolean;
}

export class LeaseKeeper {
  #isReadable = false;
  /** The snapshot that was looked at last. */
  #seen: Snapshot | undefined;
  readonly #holding: Holding;
  readonly #retry: Retry;
  readonly #second: SecondHalf;
  readonly #overwritten: Overwritten;
  /** Whether the lease is overwritten now, and left so until its time comes. */
  #left = false;
  readonly #parts: KeeperParts;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
    this.#holding = new Holding(parts);
    this.#retry = new Retry(parts.clock);
    this.#second = new SecondHalf({
      clock: parts.clock,
      holding: this.#holding,
      acquire: (claim) => this.#acquire(claim),
    });
    this.#overwritten = new Overwritten(parts.clock);
  }

  /** Milliseconds until the lease is due, Infinity for a reservation. */
  get dueIn(): number {
    return this.#holding.dueIn();
  }

  get own(): Lease | undefined {
    return this.#holding.usable;
  }

  get kept(): Kept {
    const { usable: own, lost, rival, isOver } = this.#holding;
    const { error } = this.#retry;
    return {
      own,
      lost,
      rival,
      overwritten: this.#overwritten.by,
      error,
      ipv6Error: own && this.#second.error,
      isReadable: error === undefined || this.#isReadable,
      isEnded: error !== undefined && isOver,
    };
  }

  /**
   * Takes a lease: the own one if the store has it, else the previous subnet if free, else another. In dual stack one that
   * only lacks a subnet of IPv6 is kept, as {@link keep} does, where there is none to be had.
   */
  async acquire(
    claim: Claim,
    { config, former = {} }: { config: NetworkConfig; former?: Former | undefined },
  ): Promise<Lease> {
    const begun = this.#parts.clock.monotonic();
    try {
      return await this.#acquire({ ...claim, previous: former.previous, previous6: former.previous6 });
    } catch (error) {
      const snapshot = await this.#parts.store.read();
      const own = keptInstead(error, { config, snapshot, node: claim.node });
      await this.#hold(await renew(this.#parts.store, own, claim), claim);
      this.#holding.judgeIpv6(isIpv6Anothers(snapshot, { own, claim, config }));
      this.#second.lacks(error, begun);
      return this.#holding.usable!;
    }
  }

  /**
   * Gives the lease up where the snapshot says that its subnet is another host's. That is done before there is another
   * one: two hosts that announce one subnet are worse than one without any, and a store that takes no writes may still
   * tell. Where only its IPv6 subnet is another's, it goes on without. A loss is forgotten with the network that it was of.
   */
  judge(snapshot: Snapshot, { claim, config }: { claim: Claim; config: NetworkConfig }): void {
    const { own, lost } = this.#holding;
    const isLate = own === undefined || snapshot.revision < own.revision;
    if (!isLate) this.#heed(snapshot, { own, claim, config });
    if (lost !== undefined && !covers(config.network, parseCidr(lost.subnet))) this.#holding.forgetLoss();
  }

  /**
   * Compares the own lease with the store and does what is due. While the store cannot be reached nothing is
   * given up; after a failure nothing is written before its time.
   */
  async keep(snapshot: Snapshot, whose: { claim: Claim; config: NetworkConfig }): Promise<void> {
    const now = this.#parts.clock.monotonic();
    const isTime = this.#retry.nextIn() === 0;
    const isNews = snapshot !== this.#seen;
    this.#seen = snapshot;
    this.judge(snapshot, whose);
    if (!isTime && !isNews) return;
    const reached = { taken: false };
    try {
      const latest = await this.#latest(snapshot, whose);
      if (!isTime) return;
      await this.#keepAs(latest, { ...whose, reached });
      this.#retry.succeeded();
    } catch (error) {
      if (!isTime) return;
      this.#retry.failed(error, now);
      // The store says that the subnet is not ours and that there is no other: nothing may be announced.
      if (reached.taken && isAnswer(error)) this.#holding.giveUp();
      this.#isReadable = isStoreTrouble(error) && error.code === "store" && await this.#canRead(whose);
    } finally {
      this.judge(snapshot, whose);
    }
  }

  async #keepAs(
    latest: Snapshot,
    { claim, config, reached }: Omit<Whose, "own"> & { reached: { taken: boolean } },
  ): Promise<void> {
    const { own } = this.#holding;
    const stored = own && storedIn(latest, { own, claim, config });
    const overwriter = overwriterOf(stored, { claim, config });
    // Nothing is announced and nothing given up meanwhile: the subnet and the address are this host's in any case.
    this.#left = overwriter !== undefined && this.#overwritten.nextIn() > 0;
    if (this.#left) return;
    const known = overwriter === undefined && this.#holding.takeIn(stored);
    // Peers refuse what is outside the network. A lease that only a new one would not get is kept.
    reached.taken = !known || !isUsableIn(config, this.#holding.own!);
    if (!reached.taken && (this.#isDue() || !this.#holding.says(claim))) {
      const renewed = await renew(this.#parts.store, this.#holding.own!, claim).catch(unlessConflict);
      if (renewed !== undefined) this.#holding.hold(renewed, claim);
      // It ended, or was taken, before any snapshot said so: the clock was set, or the store was away.
      else reached.taken = true;
    }
    if (reached.taken) {
      const { subnet: current, subnet6: current6 } = own ?? this.#holding.lost ?? {};
      await this.#acquire({ ...claim, current, current6 });
      if (overwriter !== undefined) this.#overwritten.takenBack(overwriter);
    }
    await this.#second.keep({ claim, config });
  }

  /** What failed may be tried again at once: the store is back. */
  hasten(): void {
    this.#retry.hasten();
  }

  /** Lets the next {@link keep} renew the lease, due or not; a reservation has nothing to renew. */
  renewNow(): void {
    this.#holding.renewWithin(0);
  }

  /** Lets the lease be renewed at some time within `ms`, unless it was in the last `ms`. */
  renewWithin(ms: number): void {
    if (this.#holding.age >= ms) this.#holding.renewWithin(ms);
  }

  /** Milliseconds until {@link keep} has something to do. */
  nextIn(): number {
    const until = this.#overwritten.nextIn();
    // As long as it is left alone, what failed before is not tried again either.
    if (this.#left && until > 0) return until;
    if (this.#retry.error !== undefined) return this.#retry.nextIn();
    if (this.#left) return 0;
    return Math.min(until > 0 ? until : Infinity, this.#holding.dueIn(), this.#second.nextIn());
  }

  async #acquire(claim: Claim): Promise<Lease> {
    const lease = await acquire(this.#parts.store, claim, this.#parts);
    await this.#hold(lease, claim);
    return lease;
  }

  async #hold(lease: Lease, claim: Claim): Promise<void> {
    const { store, stateDir } = this.#parts;
    this.#holding.hold(lease, claim);
    await rememberSubnet(stateDir, { ...lease, store: store.url });
  }

  /**
   * The snapshot, or what the store holds now where the snapshot is from before our last write, or from a store that
   * was restored and never will know of it.
   */
  async #latest(snapshot: Snapshot, whose: Omit<Whose, "own">): Promise<Snapshot> {
    const { own } = this.#holding;
    if (own === undefined || snapshot.revision >= own.revision) return snapshot;
    if (storedIn(snapshot, { ...whose, own })?.revision === own.revision) return snapshot;
    return await this.#read(whose);
  }

  /** What the store holds now; it is believed, whatever its revision. */
  async #read(whose: Omit<Whose, "own">): Promise<Snapshot> {
    const snapshot = await this.#parts.store.read();
    const { own } = this.#holding;
    if (own !== undefined) this.#heed(snapshot, { ...whose, own });
    return snapshot;
  }

  #heed(snapshot: Snapshot, whose: Whose): void {
    if (isAnothers(snapshot, whose)) this.#holding.giveUp();
    else this.#holding.judgeIpv6(isIpv6Anothers(snapshot, whose));
  }

  async #canRead(whose: Omit<Whose, "own">): Promise<boolean> {
    try {
      return (await this.#read(whose)).config !== undefined;
    } catch (error) {
      if (!isStoreTrouble(error)) throw error;
      return false;
    }
  }

  #isDue(): boolean {
    const dueIn = this.#holding.dueIn();
    return dueIn !== Infinity && (this.#retry.error !== undefined || dueIn === 0);
  }
}

function unlessConflict(error: unknown): undefined {
  if (!isConflict(error)) throw error;
}
