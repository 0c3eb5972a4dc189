/** The chains of nftables that a hook's packets go through. Pure. */
import { check, v } from "../net/schema.ts";

export interface BaseChain {
  readonly family: "ip" | "ip6" | "inet";
  readonly table: string;
  readonly name: string;
  /** What becomes of a packet for which no rule decides. */
  readonly policy: Policy;
}

export type Policy = "accept" | "drop";

const listed = v.object({
  nftables: v.array(v.object({
    chain: v.optional(v.object({
      family: v.string(),
      table: v.string(),
      name: v.string(),
      type: v.optional(v.string()),
      hook: v.optional(v.string()),
      policy: v.optional(v.string()),
    })),
  })),
});

const families = ["ip", "ip6", "inet"] as const;

/**
 * Those on a hook, from `nft -j list chains` (libnftables-json(5)), but for those that only translate addresses: they
 * belong to others, may be very long, and what has to be let in is not their business. Throws `invalid`.
 */
export function baseChains(json: string, hook: "forward" | "input"): readonly BaseChain[] {
  const { nftables } = check(listed, JSON.parse(json), "what nft says");
  return nftables.flatMap(({ chain }) => {
    const family = families.find((one) => one === chain?.family);
    if (chain?.hook !== hook || chain.type === "nat" || family === undefined) return [];
    return [{
      family,
      table: chain.table,
      name: chain.name,
      policy: chain.policy === "drop" ? "drop" : "accept",
    }];
  });
}
