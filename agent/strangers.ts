/** Peers that this host would send to by another plane if they knew it there, and when it is looked again whether they do. */
import type { Lease } from "../lease/lease.ts";
import type { Clock } from "../net/clock.ts";
import { carrierOf, type Carriers } from "../backends/several.ts";

/** Handshakes announce themselves to nobody: how long until it is looked again whether there were some, milliseconds. */
const LEAST_LOOK_MS = 500;
const MOST_LOOK_MS = 30_000;

/** Nobody: there is nothing to look for. */
const NOBODY = { subnets: [], since: 0, until: Infinity };

export class Strangers {
  /** Since when they are the same, and when it is looked again, monotonic. */
  #waits: { readonly subnets: readonly string[]; readonly since: number; readonly until: number } = NOBODY;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get subnets(): readonly string[] {
    return this.#waits.subnets;
  }

  /** Milliseconds until it is to be looked again; Infinity where nobody is waited for whose answer is no lease. */
  nextIn(): number {
    return Math.max(0, this.#waits.until - this.#clock.monotonic());
  }

  /** The network moves no more. */
  forget(): void {
    this.#waits = NOBODY;
  }

  /**
   * Takes in who is sent to how. It is looked again soon at first, and ever more rarely: who is dead or cut off may be so
   * for long. `looked`: the kernel was read. Where it could not be, that is tried again no sooner.
   */
  judge(peers: readonly Lease[], carriers: Carriers, looked: boolean): void {
    const { planes, host, maySend } = carriers;
    const ideal: Carriers = { planes, host, maySend: (plane) => maySend(plane) };
    const found = peers.map((lease) => ({ lease, wanted: carrierOf(lease, ideal) }))
      .filter(({ lease, wanted }) => carrierOf(lease, carriers) !== wanted);
    const subnets = found.map(({ lease }) => lease.subnet);
    const now = this.#clock.monotonic();
    const { since, until } = this.#waits;
    // What a peer says by its lease needs no looking.
    if (!found.some(({ wanted }) => wanted.backend.hasKey)) {
      this.#waits = { subnets, since: now, until: Infinity };
    } else if (subnets.join() !== this.#waits.subnets.join()) {
      this.#waits = { subnets, since: now, until: now + LEAST_LOOK_MS };
    } else if (looked || until <= now) {
      const wait = Math.min(MOST_LOOK_MS, Math.max(LEAST_LOOK_MS, (now - since) / 4));
      this.#waits = { subnets, since, until: now + wait };
    }
  }
}
