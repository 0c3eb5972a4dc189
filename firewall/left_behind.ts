/** What an earlier run made through iptables, on a host that had no libnftables then: nftables does not show it as ours. */
import { bearsMark, claims, type Owner } from "../kernel/ownership.ts";
import { FlanError, messageOf } from "../net/errors.ts";
import type { Logger } from "../net/log.ts";
import type { FirewallWays } from "./find_rule_set.ts";
import { type InIptables, iptablesRules, readRemovable } from "./iptables_rules.ts";
import type { FirewallObject } from "./rule_set.ts";

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
    const found = await unlessUnreadable(rules.read(), log) ?? [];
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
): Promise<readonly InIptables[]> {
  const found = [
    await unlessUnreadable(readRemovable(iptables, { family: 4, isMeant: bearsMark }), log),
    await unlessUnreadable(readRemovable(ip6tables, { family: 6, isMeant: bearsMark }), log),
  ];
  return found.filter((one) => one !== undefined && one.objects.length > 0).map((one) => one!);
}

async function unlessUnreadable<T>(reading: Promise<T>, log: Logger): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    if (error.code !== "unsupported") log.log("warning", messageOf(error));
    return undefined;
  }
}
