/**
 * Rules of the packet filter in the words of `nft` (nftables, man 8 nft). What flan runs and what it shows to people
 * are the same words.
 */
import type { Change } from "./kernel.ts";
import { familyOf } from "../net/ip.ts";
import { type ForwardRules, type Masquerade, nftFamily, type PacketRule } from "./state.ts";

/** flan's own table, of family ip and ip6, and the only chain in it. */
export const NFT_TABLE = "flan";
export const NFT_CHAIN = "postrouting";
/** `srcnat`, where iptables has its nat table's POSTROUTING too (linux/netfilter_ipv4.h, NF_IP_PRI_NAT_SRC). */
export const NFT_PRIORITY = 100;

type Words = readonly string[];

/**
 * The commands of one change, without `nft` before them; together they are one transaction. A rule in somebody else's
 * chain can only be deleted by its handle, so those of flan's rules that are there have to be known.
 */
export function nftCommands(
  verb: Change["verb"],
  object: Masquerade | ForwardRules,
  handles: readonly number[] = [],
): Words[] {
  if (object.kind === "masquerade") return masqueradeCommands(verb, object);
  const { alias, chain, rules } = object;
  const place = chain.split(" ");
  const gone = handles.map((handle) => ["delete", "rule", ...place, "handle", `${handle}`]);
  if (verb === "delete") return gone;
  // Each is put before all others, so that the first of them has to come last.
  return [...gone, ...rules.map((rule) => ["insert", "rule", ...place, ...ruleWords(rule, alias)]).reverse()];
}

/** The table is made before it is deleted, because nft refuses to delete one that is not there. */
function masqueradeCommands(verb: Change["verb"], { alias, family, rules }: Masquerade): Words[] {
  const table = ["table", nftFamily(family), NFT_TABLE];
  const none = [["add", ...table], ["delete", ...table]];
  if (verb === "delete") return none;
  const chain = [nftFamily(family), NFT_TABLE, NFT_CHAIN];
  const hook = ["type", "nat", "hook", "postrouting", "priority", `${NFT_PRIORITY}`];
  return [
    ...none,
    ["add", ...table],
    ["add", "chain", ...chain, "{", ...hook, ";", "policy", "accept", ";", "}"],
    ...rules.map((rule) => ["add", "rule", ...chain, ...ruleWords(rule, alias)]),
  ];
}

/** fully-random: two hosts behind one address that choose the same port lose packets. Every Linux with nexthops has it. */
function ruleWords({ source, destination, mark, action }: PacketRule, alias: string): Words {
  return [
    ...(mark === undefined ? [] : ["meta", "mark", "&", mark, "==", mark]),
    ...(source === undefined ? [] : match("saddr", source)),
    ...(destination === undefined ? [] : match("daddr", destination)),
    ...(action === "masquerade" ? [action, "fully-random"] : [action]),
    ...["comment", `"${alias}"`],
  ];
}

function match(field: string, prefix: string): Words {
  const words = prefix.startsWith("!") ? ["!=", prefix.slice(1)] : [prefix];
  return [nftFamily(familyOf(prefix)), field, ...words];
}
