/** What one host knows of its network: its own lease and every peer that can be used. */
import type { Lease, Refusal } from "./lease.ts";
import type { NetworkConfig } from "./network.ts";

export interface View {
  readonly network: NetworkConfig;
  /** Undefined before a lease was acquired, and after one was lost. */
  readonly own: Lease | undefined;
  /** Valid, disjoint, inside the network, sorted by subnet. */
  readonly peers: readonly Lease[];
  readonly refused: readonly Refusal[];
}
