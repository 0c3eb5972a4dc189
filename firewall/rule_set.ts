/** The packet filter as flan sees it: what is flan's in it, and who drops what is forwarded. */
import type { Change } from "../kernel/kernel.ts";
import type { ForwardRules, Masquerade } from "../kernel/state.ts";

export type FirewallObject = Masquerade | ForwardRules;

export interface FirewallChange extends Change {
  readonly object: FirewallObject;
}

export interface RuleSet {
  /**
   * What there is: flan's own table, flan's rules in others' chains, and (with alias "") every chain on the forward
   * hook that drops by policy. Throws FlanError.
   */
  read(): Promise<readonly FirewallObject[]>;
  /** Carries a change out, whole or not at all. Throws FlanError. */
  apply(change: FirewallChange): Promise<void>;
}
