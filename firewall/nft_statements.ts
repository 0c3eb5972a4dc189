/** Statements of a rule as libnftables lists them (man 5 libnftables-json), understood as a {@link PacketRule}. */
import type { PacketRule } from "../kernel/state.ts";
import { bits, familyOf } from "../net/ip.ts";
import { v } from "../net/schema.ts";

const prefix = v.union([
  v.pipe(v.string(), v.transform((address) => `${address}/${bits(familyOf(address))}`)),
  v.pipe(
    v.object({ prefix: v.object({ addr: v.string(), len: v.number() }) }),
    v.transform(({ prefix: { addr, len } }) => `${addr}/${len}`),
  ),
]);

const addressMatch = v.object({
  match: v.object({
    op: v.picklist(["==", "!="]),
    left: v.object({
      payload: v.object({ protocol: v.picklist(["ip", "ip6"]), field: v.picklist(["saddr", "daddr"]) }),
    }),
    right: prefix,
  }),
});

const markMatch = v.object({
  match: v.object({
    op: v.literal("=="),
    left: v.object({ "&": v.tuple([v.object({ meta: v.object({ key: v.literal("mark") }) }), v.number()]) }),
    right: v.number(),
  }),
});

/** With one flag older versions list it as text, later ones as a list. */
const masquerade = v.object({
  masquerade: v.object({
    flags: v.union([v.literal("fully-random"), v.tuple([v.literal("fully-random")])]),
  }),
});

const other: PacketRule = { action: "other" };

/** Counters are left out: they say what passed and not what is done. */
export function ruleOf(statements: readonly Readonly<Record<string, unknown>>[]): PacketRule {
  let rule: Partial<PacketRule> = {};
  for (const statement of statements) {
    if ("counter" in statement) continue;
    const part = partOf(statement);
    // What stands twice, or behind a verdict, is nothing that flan writes.
    const isNew = part !== undefined && rule.action === undefined &&
      !Object.keys(part).some((key) => key in rule);
    if (!isNew) return other;
    rule = { ...rule, ...part };
  }
  return rule.action === undefined ? other : { ...rule, action: rule.action };
}

function partOf(statement: Readonly<Record<string, unknown>>): Partial<PacketRule> | undefined {
  for (const action of ["accept", "return"] as const) if (action in statement) return { action };
  if (v.is(masquerade, statement)) return { action: "masquerade" };
  const address = v.safeParse(addressMatch, statement);
  if (address.success) {
    const { op, left, right } = address.output.match;
    const text = op === "!=" ? `!${right}` : right;
    return left.payload.field === "saddr" ? { source: text } : { destination: text };
  }
  const mark = v.safeParse(markMatch, statement);
  if (!mark.success) return undefined;
  const { left, right } = mark.output.match;
  return left["&"][1] === right ? { mark: `0x${right.toString(16)}` } : undefined;
}
