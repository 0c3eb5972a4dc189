/** The own lease, kept: renewed in time, announced anew when the host changes, taken again when it was lost. */
import type { Clock } from "../net/clock.ts";
import { FlanError, isStoreTrouble } from "../net/errors.ts";
import type { Logger } from "../net/log.ts";
import type { Lease } from "../lease/lease.ts";
import { acquire, type Claim, renew } from "../lease/manager.ts";
import type { LeaseRecord, Snapshot, Store } from "../lease/store.ts";
import { decodeRecord, isRefusal } from "../lease/decode.ts";
import { subnetKey } from "../lease/key.ts";
import { covers, parseCidr } from "../net/ip.ts";
import type { Backend, Host } from "../backends/backend.ts";
import type { NetworkConfig } from "../lease/network.ts";
import { rememberSubnet } from "./host_state.ts";

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
  readonly #parts: KeeperParts;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
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
    if (now < this.#retryAt) return this.#kept();
    let taken = false;
    try {
      const known = await this.#isKnown(snapshot, claim.node);
      // Peers refuse what is outside the network. A lease that only a new one would not get is kept.
      taken = !known || !covers(config.network, parseCidr(this.#own!.subnet));
      if (taken) await this.acquire(claim, before?.subnet);
      else if (this.#due() || announcement(claim) !== this.#announced) {
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
    this.#lost ??= before;
    if (this.#lost?.subnet === this.#own?.subnet) this.#lost = undefined;
    return this.#kept();
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
    const { clock, leaseTtl } = this.#parts;
    if (this.#failures > 0) return Math.max(0, this.#retryAt - clock.monotonic());
    const { expires } = this.#own ?? {};
    if (expires === undefined) return Infinity;
    const byWall = expires - leaseTtl * 1000 * RENEW_AT - clock.now();
    return Math.max(0, Math.min(byWall, this.#renewBy - clock.monotonic()));
  }

  /** Whether the store has a lease of ours; takes in what it says of it. */
  async #isKnown(snapshot: Snapshot, node: string): Promise<boolean> {
    if (this.#own === undefined) return false;
    let stored = this.#storedIn(snapshot, node);
    // A snapshot from before our last write cannot know of it; one of a store that was restored never will.
    if (stored === undefined && snapshot.revision < this.#own.revision) {
      stored = this.#storedIn(await this.#parts.store.read(), node);
    }
    if (stored === undefined) return false;
    const another = stored.key !== subnetKey(this.#own.subnet) || stored.revision > this.#own.revision;
    const lease = another ? decodeRecord(stored) : this.#own;
    if (isRefusal(lease)) return true;
    // Two that correct each other would only make their peers switch to and fro; it is told, and left.
    if (another) this.#rival = announcement(lease) === this.#announced ? undefined : lease;
    this.#own = lease;
    return true;
  }

  #storedIn({ records }: Snapshot, node: string): LeaseRecord | undefined {
    const ours = records.filter((record) => record.node === node);
    return ours.find(({ key }) => key === subnetKey(this.#own!.subnet)) ?? ours[0];
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
    return expires !== undefined && (this.#failures > 0 || this.nextIn() === 0);
  }

  #kept(): Kept {
    return { own: this.#own, lost: this.#lost, rival: this.#rival, error: this.#error };
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
