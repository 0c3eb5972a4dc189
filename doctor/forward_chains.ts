/** Which chains on the forward hook drop what no rule lets through: of nftables' JSON, and of iptables-save's text. */
import { type Cidr, type Family, formatCidr } from "../net/ip.ts";
import { check, v } from "../net/schema.ts";

const listed = v.object({
  nftables: v.array(v.object({
    rule: v.optional(v.object({ expr: v.optional(v.array(v.unknown())), comment: v.optional(v.string()) })),
  })),
});

/** Whether packets of the family pass through a chain that is named with its table's family first, or by iptables. */
export function passes(chain: string, family: Family): boolean {
  const [first] = chain.split(" ");
  return first === "inet" || first === (family === 4 ? "ip" : "ip6") ||
    chain === legacyName(family);
}

/** The chain of iptables' own, which nftables does not name. */
export function legacyName(family: Family): string {
  return family === 4 ? "FORWARD" : "FORWARD (ip6tables)";
}

/**
 * Whether the rules of a chain, from `nft -j list chain …`, accept what comes from `network` and what goes there:
 * flan's own do, and those that name the network. Throws `invalid`.
 */
export function letsThrough(json: string, network: Cidr): boolean {
  const [addr, len] = formatCidr(network).split("/");
  const accepting = parse(json).flatMap(({ rule }) => {
    const text = JSON.stringify(rule?.expr ?? []);
    return rule !== undefined && text.includes('"accept"') ? [{ text, comment: rule.comment ?? "" }] : [];
  });
  if (accepting.some(({ comment }) => /^flan\b/.test(comment))) return true;
  const prefix = `"prefix":{"addr":"${addr}","len":${len}}`;
  const names = (field: string) =>
    accepting.some(({ text }) => text.includes(`"field":"${field}"`) && text.includes(prefix));
  return names("saddr") && names("daddr");
}

function parse(json: string) {
  return check(listed, JSON.parse(json), "what nft says").nftables;
}

/**
 * Whether `iptables-save -t filter`, or ip6tables-save, says that FORWARD drops by policy and accepts nothing of `network`: for kernels
 * whose filter is iptables' own.
 */
export function legacyDrops(text: string, network: Cidr): boolean {
  const lines = text.split("\n");
  if (!lines.some((line) => line.startsWith(":FORWARD DROP"))) return false;
  const accepts = (flag: string) =>
    lines.some((line) =>
      line.startsWith(`-A FORWARD ${flag} ${formatCidr(network)} `) && / -j ACCEPT$/.test(line)
    );
  return !lines.some((line) => line.includes("FLAN-FWD")) && !(accepts("-s") && accepts("-d"));
}
