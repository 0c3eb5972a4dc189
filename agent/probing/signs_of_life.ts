/**
 * Whose host should answer. All should, but for those of a host that has just booted: after a power cut its peers may be
 * away still, and only one whose lease was written since this agent looked first is known to run.
 */
import type { Lease } from "../../lease/lease.ts";

export class SignsOfLife {
  readonly #afterBoot: boolean;
  /** Revisions by subnet, as they were at the first look. After a power cut they say nothing of who is back already. */
  #first: ReadonlyMap<string, number> | undefined;

  constructor({ afterBoot }: { afterBoot: boolean }) {
    this.#afterBoot = afterBoot;
  }

  /** Takes in the peers' leases; only the first ones count. */
  look(leases: readonly Lease[]): void {
    this.#first ??= new Map(leases.map(({ subnet, revision }) => [subnet, revision]));
  }

  /** Whether its holder is believed to run, or has written the lease since. */
  has({ subnet, revision }: Lease): boolean {
    if (!this.#afterBoot) return true;
    return this.#first !== undefined && this.#first.get(subnet) !== revision;
  }
}
