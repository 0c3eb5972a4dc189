/** Which of the two ways to the packet filter this host has. */
import { FlanError, messageOf } from "../net/errors.ts";
import { type Iptables, iptablesRules } from "./iptables_rules.ts";
import { type Nft, nftRules } from "./nft_rules.ts";
import type { RuleSet } from "./rule_set.ts";

export interface FirewallWays {
  readonly nft: Nft;
  readonly iptables: Iptables;
}

/**
 * nftables where the library and the kernel have it, else iptables. Throws FlanError `unsupported` with what was tried
 * where there is neither, and `not-permitted` where the user may not ask.
 */
export async function findRuleSet({ nft, iptables }: FirewallWays): Promise<RuleSet> {
  const whyNot: string[] = [];
  try {
    nft("list tables");
    return nftRules(nft);
  } catch (error) {
    whyNot.push(reasonOf(error));
  }
  try {
    await iptables.save();
    return iptablesRules(iptables);
  } catch (error) {
    whyNot.push(reasonOf(error));
  }
  throw new FlanError(`Cannot use the packet filter of this host: ${whyNot.join("; ")}`, {
    op: "firewall.find",
    code: "unsupported",
    hint: "apt-get install libnftables1",
  });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof FlanError) || error.code === "not-permitted") throw error;
  const text = messageOf(error);
  return text.charAt(0).toLowerCase() + text.slice(1);
}
