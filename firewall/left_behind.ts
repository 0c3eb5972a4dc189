/** What an earlier run made through iptables, on a host that had no libnftables then: nftables does not show it as ours. */
import { bearsMark, claims, type Owner } from "../kernel/ownership.ts";
import { FlanError, messageOf } from "../net/errors.ts";
import type { Logger } from "../net/log.ts";
import type { FirewallWays } from "./find_rule_set.ts";
import { iptablesRules } from "./iptables_rules.ts";
import type { FirewallObject, RuleSet } from "./rule_set.ts";

type IptablesWays = Pick<FirewallWays, "iptables" | "ip6tables">;

/**
 * Removes this host's rules from iptables, and resolves to them: one call of each family's save where there are none. A host
 * whose iptables cannot be read has none; why is in the log where it is installed. Throws FlanError where some cannot be
 * removed.
 */
export async function removeLeftBehind(
  { iptables, ip6tables }: IptablesWays,
  { owner, log }: { owner: Owner; log: Logger },
): Promise<readonly FirewallObject[]> {
  const removed: FirewallObject[] = [];
  for (const rules of [iptablesRules(iptables), iptablesRules(ip6tables, 6)]) {
    const found = await readIfAny(rules, log);
    const claim = claims(owner, found);
    const ours = found.filter((object) => claim(object) === "ours");
    for (const object of ours) await rules.apply({ verb: "delete", object });
    removed.push(...ours);
  }
  return removed;
}

/** What any flan left in iptables, this host's or not. A host whose iptables cannot be read has nothing there. */
export async function findLeftBehind(
  { iptables, ip6tables }: IptablesWays,
  log: Logger,
): Promise<readonly FirewallObject[]> {
  const four = await readIfAny(iptablesRules(iptables), log);
  return [...four, ...await readIfAny(iptablesRules(ip6tables, 6), log)].filter(bearsMark);
}

async function readIfAny(rules: RuleSet, log: Logger): Promise<readonly FirewallObject[]> {
  try {
    return await rules.read();
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    if (error.code !== "unsupported") log.log("warning", messageOf(error));
    return [];
  }
}
