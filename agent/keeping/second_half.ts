/**
 * The IPv6 half of the own lease in a dual-stack network, looked for while it is missing. Whatever becomes of that, the
 * lease of the first family is kept.
 */
import { isConflict } from "../../lease/conflict.ts";
import type { Lease } from "../../lease/lease.ts";
import type { Claim } from "../../lease/manager.ts";
import type { NetworkConfig } from "../../lease/network.ts";
import { isSubnetOf } from "../../lease/subnet_range.ts";
import type { Clock } from "../../net/clock.ts";
import { FlanError, isStoreTrouble } from "../../net/errors.ts";
import { parseCidr } from "../../net/ip.ts";
import { Retry } from "../retry.ts";
import type { Holding } from "./holding.ts";
import { isWholeIn } from "./own_record.ts";

export class SecondHalf {
  readonly #retry: Retry;
  readonly #clock: Clock;
  readonly #holding: Holding;
  readonly #acquire: (claim: Claim) => Promise<Lease>;

  /** `acquire` takes a lease in place of the one that is held, and lets that be held. */
  constructor(
    { clock, holding, acquire }: {
      clock: Clock;
      holding: Holding;
      acquire: (claim: Claim) => Promise<Lease>;
    },
  ) {
    this.#retry = new Retry(clock);
    this.#clock = clock;
    this.#holding = holding;
    this.#acquire = acquire;
  }

  /** Why it is missing, undefined while it is not, or before it was looked for. */
  get error(): unknown {
    return this.#retry.error;
  }

  /** Milliseconds until it is looked for again, Infinity where it need not be. */
  nextIn(): number {
    return this.#retry.error === undefined ? Infinity : this.#retry.nextIn();
  }

  /** It could not be had at `begun` (monotonic). */
  lacks(error: unknown, begun: number): void {
    this.#retry.failed(error, begun);
  }

  /**
   * Takes a lease with both halves, of the same first subnet, where the held one lacks the IPv6 half and it is time. What
   * the store answers to that is kept as {@link error}. Throws where the store cannot be used.
   */
  async keep({ claim, config }: { claim: Claim; config: NetworkConfig }): Promise<void> {
    const { own } = this.#holding;
    if (own === undefined || this.#isWhole(config)) return this.#retry.succeeded();
    if (this.#retry.nextIn() > 0) return;
    const begun = this.#clock.monotonic();
    const { subnet: current, subnet6: current6 } = own;
    // One that the config gives out no more is of another length: no lease of both halves can have it.
    const wish = isSubnetOf(config, parseCidr(current)) ? current : undefined;
    try {
      await this.#acquire({ ...claim, wish, current, current6 });
      this.#retry.succeeded();
    } catch (error) {
      const isNo = isAnswer(error) || isConflict(error);
      if (!isNo || this.#isWhole(config)) throw error;
      this.lacks(error, begun);
    }
  }

  #isWhole(config: NetworkConfig): boolean {
    const { usable } = this.#holding;
    return usable !== undefined && isWholeIn(config, usable);
  }
}

/** Whether the store could be asked, and said no. */
export function isAnswer(error: unknown): boolean {
  return error instanceof FlanError && !isStoreTrouble(error) && !isConflict(error);
}
