/** Whose lease was written since this agent looked first: such a host runs, and should answer. */
import type { Lease } from "../../lease/lease.ts";

export class SignsOfLife {
  /** Revisions by subnet, as they were at the first look. After a power cut they say nothing of who is back already. */
  #first: ReadonlyMap<string, number> | undefined;

  /** Takes in the peers' leases; only the first ones count. */
  look(leases: readonly Lease[]): void {
    this.#first ??= new Map(leases.map(({ subnet, revision }) => [subnet, revision]));
  }

  /** Whether its holder has written the lease since. */
  has({ subnet, revision }: Lease): boolean {
    return this.#first !== undefined && this.#first.get(subnet) !== revision;
  }
}
