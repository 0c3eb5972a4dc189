/** The rule set through nftables: one table of our own, and rules with a comment of ours in others' chains. */
import { NFT_CHAIN, NFT_PRIORITY, NFT_TABLE, nftCommands } from "../kernel/nft_commands.ts";
import { isFlans } from "../kernel/ownership.ts";
import { type Masquerade, nftFamily, type PacketRule } from "../kernel/state.ts";
import { FlanError, KernelError } from "../net/errors.ts";
import type { Family } from "../net/ip.ts";
import { check, v } from "../net/schema.ts";
import { ruleOf } from "./nft_statements.ts";
import type { FirewallChange, FirewallObject, RuleSet } from "./rule_set.ts";

/** Runs commands of `nft`, one a line, as one transaction, and returns what they list as JSON. Throws KernelError. */
export type Nft = (commands: string) => string;

/** How often a listing is begun anew because somebody removed what it was to list. */
const ATTEMPTS = 5;

const listing = v.object({ nftables: v.array(v.record(v.string(), v.unknown())) });

const families: readonly Family[] = [4, 6];

const isOwnTable = (family: Family) => (item: unknown) =>
  v.is(v.object({ family: v.literal(nftFamily(family)), name: v.literal(NFT_TABLE) }), item);

const chainSchema = v.object({
  family: v.string(),
  table: v.string(),
  name: v.string(),
  type: v.optional(v.string()),
  hook: v.optional(v.string()),
  prio: v.optional(v.unknown()),
  policy: v.optional(v.string()),
});
type Chain = v.InferOutput<typeof chainSchema>;

const ruleSchema = v.object({
  handle: v.number(),
  comment: v.optional(v.string()),
  expr: v.array(v.record(v.string(), v.unknown())),
});
type Rule = v.InferOutput<typeof ruleSchema>;

export function nftRules(nft: Nft): RuleSet {
  return {
    read: () => Promise.resolve().then(() => patiently(() => readAll(nft))),
    apply: (change) => Promise.resolve().then(() => patiently(() => applyOne(nft, change))),
  };
}

function readAll(nft: Nft): FirewallObject[] {
  const found: FirewallObject[] = [];
  const tables = itemsOf(nft("list tables")).map(({ table }) => table);
  for (const family of families) {
    if (tables.some(isOwnTable(family))) found.push(ownTable(nft, family));
  }
  const chains = itemsOf(nft("list chains")).flatMap(({ chain }) =>
    chain === undefined ? [] : [check(chainSchema, chain, "the list of nft's chains")]
  );
  for (const chain of chains) {
    if (!isForward(chain)) continue;
    const place = placeOf(chain);
    for (const [alias, rules] of Map.groupBy(ownRules(nft, place), ({ comment = "" }) => comment)) {
      found.push({
        kind: "forward-rules",
        chain: place,
        alias,
        rules: rules.map(({ expr }) => ruleOf(expr)),
      });
    }
    if (chain.policy === "drop") found.push({ kind: "forward-rules", chain: place, alias: "", rules: [] });
  }
  return found;
}

function applyOne(nft: Nft, { verb, object }: FirewallChange): void {
  const standing = object.kind === "forward-rules" ? ownRules(nft, object.chain) : [];
  const handles = standing.flatMap((rule) =>
    object.kind === "forward-rules" && rule.comment === object.alias ? [rule.handle] : []
  );
  const commands = nftCommands(verb, object, handles);
  if (commands.length > 0) nft(commands.map((words) => words.join(" ")).join("\n"));
}

/** Whatever is in it that flan did not put there so counts as a rule of another kind: a table of ours is then made anew. */
function ownTable(nft: Nft, family: Family): Masquerade {
  const items = itemsOf(nft(`list table ${nftFamily(family)} ${NFT_TABLE}`));
  const rules = items.flatMap(({ rule }) => rule === undefined ? [] : [asRule(rule)]);
  const alias = rules.map(({ comment }) => comment).find((one) => isFlans(one ?? "")) ?? "";
  const isEmptied = items.every((item) => "metainfo" in item || "table" in item);
  const isOdd = items.some((item) => !["metainfo", "table", "chain", "rule"].some((key) => key in item)) ||
    !(hasOneChain(items) || isEmptied) || rules.some((rule) => alias === "" || rule.comment !== alias);
  const odd: readonly PacketRule[] = isOdd ? [{ action: "other" }] : [];
  return { kind: "masquerade", family, alias, rules: [...rules.map(({ expr }) => ruleOf(expr)), ...odd] };
}

function hasOneChain(items: readonly Record<string, unknown>[]): boolean {
  const [chain, ...more] = items.flatMap(({ chain }) => chain === undefined ? [] : [chain]);
  if (chain === undefined || more.length > 0) return false;
  const { name, type, hook, prio, policy } = check(chainSchema, chain, "nft's chain");
  return name === NFT_CHAIN && type === "nat" && hook === "postrouting" && prio === NFT_PRIORITY &&
    policy === "accept";
}

/** Rules of flan, of this host or of another one, in a chain of somebody else. */
function ownRules(nft: Nft, place: string): Rule[] {
  return itemsOf(nft(`list chain ${place}`)).flatMap(({ rule }) => rule === undefined ? [] : [asRule(rule)])
    .filter(({ comment }) => isFlans(comment ?? ""));
}

/** Names that nft itself would not read back are left alone. */
function isForward(chain: Chain): boolean {
  return chain.hook === "forward" && chain.type === "filter" &&
    ["ip", "ip6", "inet"].includes(chain.family) &&
    /^[\w./-]+$/.test(chain.table) && /^[\w./-]+$/.test(chain.name);
}

const placeOf = ({ family, table, name }: Chain): string => `${family} ${table} ${name}`;

const asRule = (rule: unknown): Rule => check(ruleSchema, rule, "nft's rule");

function itemsOf(text: string): readonly Record<string, unknown>[] {
  return text.trim() === "" ? [] : check(listing, parsed(text), "what nft lists").nftables;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FlanError("Cannot read the packet filter: what nft lists is no JSON", {
      op: "firewall",
      code: "failed",
      cause,
    });
  }
}

/** A table or chain that is listed by name may be gone by then. */
function patiently<T>(work: () => T): T {
  for (let attempt = 1;; attempt++) {
    try {
      return work();
    } catch (error) {
      const isGone = error instanceof KernelError && error.errno === "ENOENT";
      if (!isGone || attempt === ATTEMPTS) throw error;
    }
  }
}
