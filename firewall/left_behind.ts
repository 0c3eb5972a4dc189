/** What an earlier run made through iptables, on a host that had no libnftables then: nftables does not show it as ours. */
import { bearsMark, claims, type Owner } from "../kernel/ownership.ts";
import { FlanError, messageOf } from "../net/errors.ts";
import type { Logger } from "../net/log.ts";
import { type InIptables, type Iptables, iptablesRules, readRemovable } from "./iptables_rules.ts";
import type { FirewallObject } from "./rule_set.ts";

/**
 * Removes this host's rules from iptables, and resolves to them: one call of iptables-save where there are none. A host
 * whose iptables cannot be read has none; why is in the log where it is installed. Throws FlanError where some cannot be
 * removed.
 */
export async function removeLeftBehind(
  iptables: Iptables,
  { owner, log }: { owner: Owner; log: Logger },
): Promise<readonly FirewallObject[]> {
  const rules = iptablesRules(iptables);
  const found = await unlessUnreadable(rules.read(), log) ?? [];
  const claim = claims(owner, found);
  const ours = found.filter((object) => claim(object) === "ours");
  for (const object of ours) await rules.apply({ verb: "delete", object });
  return ours;
}

/** What any flan left in iptables, this host's or not. A host whose iptables cannot be read has nothing there. */
export async function findLeftBehind(iptables: Iptables, log: Logger): Promise<InIptables> {
  const found = await unlessUnreadable(readRemovable(iptables, bearsMark), log);
  return found ?? { objects: [], removal: [] };
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
