/** The own lease, kept: renewed in time, announced anew when the host changes, taken again when it was lost. */
import type { Clock } from "../net/clock.ts";
import { FlanError } from "../net/errors.ts";
import type { Logger } from "../net/log.ts";
import type { Lease } from "../lease/lease.ts";
import { acquire, type Claim, renew } from "../lease/manager.ts";
import type { Snapshot, Store } from "../lease/store.ts";
import { decodeRecord } from "../lease/decode.ts";
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

export class LeaseKeeper {
  #own: Lease | undefined;
  #announced = "";
  #failures = 0;
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
    const { store, clock, log, stateDir } = this.#parts;
    const lease = await acquire(store, previous === undefined ? claim : { ...claim, previous }, {
      clock,
      log,
    });
    this.#own = lease;
    this.#announced = announcement(claim);
    await rememberSubnet(stateDir, lease.subnet);
    return lease;
  }

  /**
   * Compares the own lease with the store and does what is due. Resolves to what became of it: `lost` where
   * another subnet had to be taken or none was left. While the store cannot be reached nothing is given up.
   */
  async keep(snapshot: Snapshot, claim: Claim): Promise<{ lost?: Lease; error?: unknown }> {
    const before = this.#own;
    const stored = snapshot.records.find((record) => record.node === claim.node);
    // A snapshot from before our last write does not know of it yet.
    const gone = before === undefined || (stored === undefined && snapshot.revision >= before.revision);
    if (stored !== undefined && stored.revision > (before?.revision ?? 0)) {
      const decoded = decodeRecord(stored);
      if ("revision" in decoded) this.#own = decoded;
    }
    const now = this.#parts.clock.monotonic();
    if (now < this.#retryAt) return {};
    try {
      if (gone) {
        const taken = await this.acquire(claim, before?.subnet);
        this.#failures = 0;
        return before !== undefined && taken.subnet !== before.subnet ? { lost: before } : {};
      }
      if (this.#due() || announcement(claim) !== this.#announced) {
        this.#own = await renew(this.#parts.store, this.#own!, claim);
        this.#announced = announcement(claim);
      }
      this.#failures = 0;
      return {};
    } catch (error) {
      this.#failures++;
      const wait = Math.min(RETRY_MS.first * 2 ** (this.#failures - 1), RETRY_MS.most);
      this.#retryAt = now + wait / 2 + this.#parts.clock.random(Math.ceil(wait / 2));
      const answered = error instanceof FlanError && error.code !== "store" && error.code !== "conflict";
      // The store says that the subnet is not ours and that there is no other: nothing may be announced.
      if (gone && answered && before !== undefined) {
        this.#own = undefined;
        return { lost: before, error };
      }
      return { error };
    }
  }

  /** Milliseconds until {@link keep} has something to do. */
  nextIn(): number {
    const now = this.#parts.clock.monotonic();
    if (this.#failures > 0) return Math.max(0, this.#retryAt - now);
    const { expires } = this.#own ?? {};
    if (expires === undefined) return Infinity;
    return Math.max(0, expires - this.#parts.leaseTtl * 1000 * RENEW_AT - this.#parts.clock.now());
  }

  #due(): boolean {
    return this.#own?.expires !== undefined && this.nextIn() === 0;
  }
}

function announcement(claim: Claim): string {
  return JSON.stringify([claim.publicIp, claim.backendType, claim.backendData]);
}
