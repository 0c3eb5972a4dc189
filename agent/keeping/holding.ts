/** The own lease as it is believed to stand, when it is due, and what became of those before it. */
import { decodeRecord, isRefusal } from "../../lease/decode.ts";
import { halfOf } from "../../lease/half.ts";
import { leaseKey, type Subnets } from "../../lease/key.ts";
import type { Lease } from "../../lease/lease.ts";
import type { Claim } from "../../lease/manager.ts";
import type { LeaseRecord } from "../../lease/store.ts";
import type { Clock } from "../../net/clock.ts";
import { announcement } from "./own_record.ts";

/** A lease is renewed when a third of its life is left, so that two renewals may fail before it ends. */
const RENEW_AT = 1 / 3;

export class Holding {
  #own: Lease | undefined;
  #lost: Lease | undefined;
  #rival: Lease | undefined;
  /** Whether the IPv6 subnet of the lease is another's. */
  #isIpv6Lost = false;
  #announced = "";
  /** Monotonic time of the last renewal, and of the next even if the wall clock was set back. */
  #renewed = -Infinity;
  #renewBy = Infinity;
  readonly #clock: Clock;
  /** Milliseconds. */
  readonly #ttl: number;

  /** `leaseTtl` in seconds. */
  constructor({ clock, leaseTtl }: { clock: Clock; leaseTtl: number }) {
    this.#clock = clock;
    this.#ttl = leaseTtl * 1000;
  }

  /** As the store has it. */
  get own(): Lease | undefined {
    return this.#own;
  }

  /** What of it is this host's: without its IPv6 half where that is another's. */
  get usable(): Lease | undefined {
    return this.#own !== undefined && this.#isIpv6Lost ? halfOf(this.#own, 4) : this.#own;
  }

  /** The first lease that was lost, until this host has its subnet again. */
  get lost(): Lease | undefined {
    return this.#lost;
  }

  /** What somebody else with this host's identity says in the lease. */
  get rival(): Lease | undefined {
    return this.#rival;
  }

  /** Whether so much time has passed since the last renewal that the lease has ended. */
  get isOver(): boolean {
    return this.#own?.expires !== undefined && this.#clock.monotonic() >= this.#renewed + this.#ttl;
  }

  /** Whether the lease says what `claim` says. */
  says(claim: Claim): boolean {
    return announcement(claim) === this.#announced;
  }

  /** The lease was written as `claim` says. */
  hold(lease: Lease, claim: Claim): void {
    this.#become(lease);
    this.#announced = announcement(claim);
    this.#rival = undefined;
    this.#renewed = this.#clock.monotonic();
    this.#renewBy = lease.expires === undefined ? Infinity : this.#renewed + this.#ttl * (1 - RENEW_AT);
  }

  /** Takes in what the store says of the lease; returns whether it has one. */
  takeIn(stored: LeaseRecord | undefined): boolean {
    const own = this.#own;
    if (stored === undefined || own === undefined) return false;
    // A store that was restored holds an older revision, and writes are checked against that one.
    const isAnother = stored.key !== leaseKey(own) || stored.revision !== own.revision;
    const lease = isAnother ? decodeRecord(stored) : own;
    if (isRefusal(lease)) return true;
    // Two that correct each other would only make their peers switch to and fro; it is told, and left.
    if (isAnother) this.#rival = announcement(lease) === this.#announced ? undefined : lease;
    // A reservation that was ended has to be renewed from now on, and how soon its store alone may know.
    if (own.expires === undefined && lease.expires !== undefined) this.renewWithin(0);
    this.#become(lease);
    return true;
  }

  /** Whether the IPv6 subnet that the lease names is another's for now, and only the other half this host's. */
  judgeIpv6(isLost: boolean): void {
    this.#isIpv6Lost = isLost;
  }

  giveUp(): void {
    this.#become(undefined);
  }

  /** What was lost is not to be had again, and no loss any more. */
  forgetLoss(): void {
    this.#lost = undefined;
  }

  /** Lets the lease be due at some time within `ms`; a reservation has nothing to renew. */
  renewWithin(ms: number): void {
    const pause = ms === 0 ? 0 : this.#clock.random(ms);
    this.#renewBy = Math.min(this.#renewBy, this.#clock.monotonic() + pause);
  }

  /** Milliseconds since the last renewal. */
  get age(): number {
    return this.#clock.monotonic() - this.#renewed;
  }

  /** Milliseconds until the lease is due, Infinity for a reservation. */
  dueIn(): number {
    const { expires } = this.#own ?? {};
    if (expires === undefined) return Infinity;
    // Where the store ends leases by its own clock (`expires` is Infinity), the monotonic time alone decides.
    const byWall = expires - this.#ttl * RENEW_AT - this.#clock.now();
    return Math.max(0, Math.min(byWall, this.#renewBy - this.#clock.monotonic()));
  }

  #become(own: Lease | undefined): void {
    if (!isSame(own, this.#own)) this.#lost ??= this.#own;
    if (own !== undefined && isSame(own, this.#lost)) this.#lost = undefined;
    if (own?.subnet6 !== this.#own?.subnet6) this.#isIpv6Lost = false;
    this.#own = own;
  }
}

/** Whether they are of the same subnets. One that has lost or won its IPv6 half is the same still. */
function isSame(a: Subnets | undefined, b: Subnets | undefined): boolean {
  return a?.subnet === b?.subnet &&
    (a?.subnet6 === undefined || b?.subnet6 === undefined || a.subnet6 === b.subnet6);
}
