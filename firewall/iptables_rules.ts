/** The rule set through iptables, for hosts without libnftables: read with one call, changed with one call. */
import { isFlans } from "../kernel/ownership.ts";
import { type Masquerade, nftFamily, type PacketRule } from "../kernel/state.ts";
import { KernelError } from "../net/errors.ts";
import type { Family } from "../net/ip.ts";
import { printable } from "../net/text.ts";
import { parseSaved, type Saved, type SavedRule } from "./iptables_save.ts";
import type { FirewallChange, FirewallObject, RuleSet } from "./rule_set.ts";

export interface Iptables {
  /** What `iptables-save` or `ip6tables-save` prints. Throws FlanError. */
  save(): Promise<string>;
  /** Feeds `iptables-restore --noflush` (or ip6tables'), which carries each table out whole or not at all. Throws FlanError. */
  restore(payload: string): Promise<void>;
}

/** flan's chain in the nat table, to which one rule in POSTROUTING jumps. */
const CHAIN = "FLAN-POSTRTG";
/** The rules of one family. */
export function iptablesRules(iptables: Iptables, family: Family = 4): RuleSet {
  return {
    read: async () => readAll(parseSaved(await iptables.save()), family),
    apply: async (change) => {
      const saved = parseSaved(await iptables.save());
      const lines = linesOf(change, saved);
      if (lines.length > 0) await iptables.restore(`${[...lines, "COMMIT"].join("\n")}\n`);
    },
  };
}

/** The rules of both, each change by the family that it is of. */
export function bothFamilies(four: RuleSet, six: RuleSet): RuleSet {
  return {
    read: async () => [...await four.read(), ...await six.read()],
    apply: (change) => (isOfIpv6(change.object) ? six : four).apply(change),
  };
}

function isOfIpv6(object: FirewallObject): boolean {
  return object.kind === "masquerade" ? object.family === 6 : object.chain === forwardOf(6);
}

const forwardOf = (family: Family): string => `${nftFamily(family)} filter FORWARD`;

/** What of a save is flan's in iptables, and how it is removed by hand. */
export interface InIptables {
  readonly program: "iptables" | "ip6tables";
  readonly objects: readonly FirewallObject[];
  /** The lines for the program's `-restore --noflush` that delete exactly these, rule by rule. */
  readonly removal: readonly string[];
}

/** Throws FlanError where iptables cannot be read. */
export async function readRemovable(
  iptables: Pick<Iptables, "save">,
  { family, isMeant }: { family: Family; isMeant: (object: FirewallObject) => boolean },
): Promise<InIptables> {
  const saved = parseSaved(await iptables.save());
  const objects = readAll(saved, family).filter(isMeant);
  const removal = objects.flatMap((object) => {
    const lines = linesOf({ verb: "delete", object }, saved);
    return lines.length === 0 ? [] : [...lines, "COMMIT"];
  });
  return { program: family === 4 ? "iptables" : "ip6tables", objects, removal };
}

function linesOf(change: FirewallChange, saved: Saved): string[] {
  return change.object.kind === "masquerade"
    ? masqueradeLines({ ...change, object: change.object }, saved)
    : forwardLines(change, saved);
}

function readAll(saved: Saved, family: Family): FirewallObject[] {
  const found: FirewallObject[] = [];
  const chain = forwardOf(family);
  if (saved.chains.has(`nat ${CHAIN}`)) found.push(ownChain(saved, family));
  for (const [alias, rules] of Map.groupBy(forwardRules(saved), ({ comment = "" }) => comment)) {
    found.push({ kind: "forward-rules", chain, alias, rules: rules.map(({ rule }) => rule) });
  }
  if (saved.chains.get("filter FORWARD") === "DROP") {
    found.push({ kind: "forward-rules", chain, alias: "", rules: [] });
  }
  return found;
}

function ownChain(saved: Saved, family: Family): Masquerade {
  const rules = saved.rules.filter(({ table, chain }) => table === "nat" && chain === CHAIN);
  const alias =
    [...rules, ...jumpsIn(saved)].map(({ comment }) => comment).find((one) => isFlans(one ?? "")) ?? "";
  const jumps = jumpsIn(saved);
  const isEmptied = alias === "" && rules.length === 0 && jumps.length === 0;
  const isOdd = !isEmptied &&
    (jumps.length !== 1 || jumps[0]!.text !== jumpTo(alias) ||
      rules.some(({ comment }) => alias === "" || comment !== alias));
  const odd: readonly PacketRule[] = isOdd ? [{ action: "other" }] : [];
  return { kind: "masquerade", family, alias, rules: [...rules.map(({ rule }) => rule), ...odd] };
}

/** A chain that is named with a colon is made, or emptied where it is there. */
function masqueradeLines(
  { verb, object }: { verb: FirewallChange["verb"]; object: Masquerade },
  saved: Saved,
) {
  const jumps = jumpsIn(saved);
  const isThere = saved.chains.has(`nat ${CHAIN}`);
  if (verb === "delete" && !isThere) return [];
  const gone = jumps.map(({ text }) => `-D POSTROUTING ${text}`);
  if (verb === "delete") return ["*nat", ...gone, `-F ${CHAIN}`, `-X ${CHAIN}`];
  return [
    "*nat",
    `:${CHAIN} - [0:0]`,
    ...gone,
    ...object.rules.map((rule) => `-A ${CHAIN} ${ruleWords(rule, object.alias)}`),
    `-A POSTROUTING ${jumpTo(object.alias)}`,
  ];
}

function forwardLines({ verb, object: { alias, rules } }: FirewallChange, saved: Saved): string[] {
  const gone = forwardRules(saved).filter(({ comment }) => comment === alias)
    .map(({ text }) => `-D FORWARD ${text}`);
  // Each is put before all others, so that the first of them has to come last.
  const put = rules.map((rule) => `-I FORWARD ${ruleWords(rule, alias)}`).reverse();
  const lines = verb === "delete" ? gone : [...gone, ...put];
  return lines.length === 0 ? [] : ["*filter", ...lines];
}

const forwardRules = (saved: Saved): readonly SavedRule[] =>
  saved.rules.filter(({ table, chain, comment }) =>
    table === "filter" && chain === "FORWARD" && isFlans(comment ?? "")
  );

const jumpsIn = (saved: Saved): readonly SavedRule[] =>
  saved.rules.filter(({ table, chain, target }) =>
    table === "nat" && chain === "POSTROUTING" && target === CHAIN
  );

/** In the words and the order of iptables-save, which quotes a comment only where it has to. */
function commentOf(alias: string): string {
  return `-m comment --comment ${/^[\w-]*$/.test(alias) ? alias : `"${alias}"`}`;
}

const jumpTo = (alias: string): string => `${commentOf(alias)} -j ${CHAIN}`;

function ruleWords({ source, destination, mark, action }: PacketRule, alias: string): string {
  const target = { accept: "ACCEPT", return: "RETURN", masquerade: "MASQUERADE --random-fully", other: "" };
  return [
    source && match("-s", source),
    destination && match("-d", destination),
    mark && `-m mark --mark ${mark}/${mark}`,
    commentOf(alias),
    `-j ${target[action]}`,
  ].filter(Boolean).join(" ");
}

function match(flag: string, prefix: string): string {
  return prefix.startsWith("!") ? `! ${flag} ${prefix.slice(1)}` : `${flag} ${prefix}`;
}

/** What a program of iptables says when it fails. */
export function iptablesError(program: string, stderr: string): KernelError {
  const first = stderr.split("\n").find((line) => line.trim() !== "") ?? "it does not say why";
  const errno = /Permission denied|Operation not permitted/.test(first) ? "EPERM" : "";
  return new KernelError(`Cannot use the packet filter: ${program}: ${printable(first.trim(), 400)}`, errno, {
    op: "firewall",
  });
}
