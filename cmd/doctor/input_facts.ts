/** What the doctor learns of the packet filter's chains on the input hook: what they do to the packets of peers. */
import { type BaseChain, baseChains } from "../../doctor/base_chains.ts";
import type { InputChain, Seen } from "../../doctor/facts.ts";
import { passes } from "../../doctor/forward_chains.ts";
import { fateIn, type InboundPacket } from "../../doctor/input_chains.ts";
import { iptablesChains } from "../../doctor/iptables_input.ts";
import { nftChains } from "../../doctor/nft_input.ts";
import { nftFamily } from "../../kernel/state.ts";
import { FlanError, messageOf } from "../../net/errors.ts";
import type { Family } from "../../net/ip.ts";
import { legacyFilter } from "./file_facts.ts";
import type { System } from "./system.ts";

/** The chains that the packets go through, and what becomes of them there. */
export async function lookAtInput(
  system: System,
  packets: readonly InboundPacket[],
): Promise<Seen<readonly InputChain[]>> {
  if (!system.isAdmin) return { unseen: "only root sees the packet filter" };
  if (packets.length === 0) return { seen: [] };
  try {
    const listed = await system.output(["nft", "-j", "list", "chains"]);
    const found: InputChain[] = [];
    for (const base of listed === undefined ? [] : baseChains(listed, "input")) {
      const chain = `${base.family} ${base.table} ${base.name}`;
      for (const packet of packets.filter(({ family }) => passes(chain, family))) {
        const { payload, link, isProbe } = packet;
        found.push({ chain, payload, link, isProbe, ...await judgedIn(system, { base, packet }) });
      }
    }
    for (const packet of packets) {
      const text = await legacyFilter(system, packet.family);
      if (text === undefined) continue;
      const { chains, policy } = iptablesChains(text, packet);
      const { family, payload, link, isProbe } = packet;
      const chain = family === 4 ? "INPUT" : "INPUT (ip6tables)";
      const fate = fateIn(chains, { name: "INPUT", policy });
      found.push({ chain, payload, link, isProbe, program: programOf(family), fate });
    }
    return { seen: found };
  } catch (error) {
    if (!(error instanceof FlanError || error instanceof SyntaxError)) throw error;
    return { unseen: messageOf(error) };
  }
}

/** Chains of iptables are read in its own words: to nft most of its conditions are opaque. */
async function judgedIn(
  system: System,
  { base, packet }: { base: BaseChain; packet: InboundPacket },
): Promise<Pick<InputChain, "program" | "fate">> {
  const { family, table, name } = base;
  if (family === nftFamily(packet.family) && table === "filter" && name === "INPUT") {
    const text = await system.output([`${family}tables-nft-save`, "-t", "filter"]);
    if (text !== undefined) {
      return { program: programOf(packet.family), fate: fateIn(iptablesChains(text, packet).chains, base) };
    }
  }
  const json = await system.output(["nft", "-j", "list", "table", family, table]);
  return {
    // firewalld lets nobody else write to its table.
    program: family === "inet" && table === "firewalld" ? "firewall-cmd" : "nft",
    fate: json === undefined ? "unknown" : fateIn(nftChains(json, packet), base),
  };
}

function programOf(family: Family): "iptables" | "ip6tables" {
  return `${nftFamily(family)}tables`;
}
