/** Which of the two ways to the packet filter this host has. */
import { FlanError, KernelError, messageOf } from "../net/errors.ts";
import { bothFamilies, type Iptables, iptablesRules } from "./iptables_rules.ts";
import { type Nft, nftRules } from "./nft_rules.ts";
import type { FirewallObject, RuleSet } from "./rule_set.ts";

export interface FirewallWays {
  readonly nft: Nft;
  readonly iptables: Iptables;
  readonly ip6tables: Iptables;
}

/**
 * What a kernel says that lacks nftables, or all of netfilter's netlink. EINVAL is nfnetlink's answer for a subsystem
 * that it does not have (net/netfilter/nfnetlink.c); nothing else about {@link QUESTION} can be invalid.
 */
const LACKING: readonly string[] = ["EOPNOTSUPP", "EPROTONOSUPPORT", "EAFNOSUPPORT", "EINVAL"];
const QUESTION = "list tables";

/**
 * nftables where the library and the kernel have it, else iptables. Throws FlanError `unsupported` with what was tried
 * where there is neither, and whatever else keeps from asking now: `not-permitted`, or a shortage that passes. The answer
 * may be kept.
 */
export async function findRuleSet({ nft, iptables, ip6tables }: FirewallWays): Promise<RuleSet> {
  const whyNot: string[] = [];
  try {
    nft(QUESTION);
    return nftRules(nft);
  } catch (error) {
    if (!isLacking(error)) throw error;
    whyNot.push(reasonOf(error));
  }
  try {
    await iptables.save();
    return bothFamilies(iptablesRules(iptables), ipv6Rules(ip6tables));
  } catch (error) {
    // Whatever the program itself complains of: it names no errno, and nothing else is left to be tried.
    if (!isLacking(error) && !isComplaint(error)) throw error;
    whyNot.push(reasonOf(error));
  }
  throw new FlanError(`Cannot use the packet filter of this host: ${whyNot.join("; ")}`, {
    op: "firewall.find",
    code: "unsupported",
    hint: "apt-get install libnftables1",
  });
}

/** A host without ip6tables, or whose kernel has no IPv6, has no rules there. */
function ipv6Rules(ip6tables: Iptables): RuleSet {
  const rules = iptablesRules(ip6tables, 6);
  return { read: () => rulesIn(rules), apply: rules.apply };
}

/** The rules that are there; none where the program cannot tell of any. */
export async function rulesIn(rules: RuleSet): Promise<readonly FirewallObject[]> {
  try {
    return await rules.read();
  } catch (error) {
    if (isLacking(error) || isComplaint(error)) return [];
    throw error;
  }
}

function isLacking(error: unknown): boolean {
  return error instanceof KernelError && LACKING.includes(error.errno) ||
    error instanceof FlanError && error.code === "unsupported";
}

function isComplaint(error: unknown): boolean {
  return error instanceof KernelError && error.code === "kernel";
}

function reasonOf(error: unknown): string {
  const text = messageOf(error);
  return text.charAt(0).toLowerCase() + text.slice(1);
}
