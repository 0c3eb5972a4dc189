/** What the doctor learns of the packet filter's chains on the input hook: what they do to the packets of peers. */
import type { InputChain, Seen } from "../../doctor/facts.ts";
import { droppingChains, passes } from "../../doctor/forward_chains.ts";
import { type Chains, fateIn, type InboundPacket } from "../../doctor/input_chains.ts";
import { iptablesChains } from "../../doctor/iptables_input.ts";
import { nftChains } from "../../doctor/nft_input.ts";
import { nftFamily } from "../../kernel/state.ts";
import { FlanError, messageOf } from "../../net/errors.ts";
import { legacyFilter } from "./file_facts.ts";
import type { System } from "./system.ts";

/** The chains that drop by policy, with what becomes of those packets there. `chains` is what `nft -j list chains` says. */
export async function lookAtInput(
  system: System,
  packets: readonly InboundPacket[],
): Promise<Seen<readonly InputChain[]>> {
  if (!system.isAdmin) return { unseen: "only root sees the packet filter" };
  if (packets.length === 0) return { seen: [] };
  try {
    const listed = await system.output(["nft", "-j", "list", "chains"]);
    const found: InputChain[] = [];
    for (const { family: of, table, name } of listed === undefined ? [] : droppingChains(listed, "input")) {
      const chain = `${of} ${table} ${name}`;
      for (const packet of packets.filter(({ family }) => passes(chain, family))) {
        const chains = await chainsOf(system, { of, table, name, packet });
        const fate = chains === undefined ? "unknown" : fateIn(chains, name);
        found.push({ chain, family: packet.family, port: packet.port, fate });
      }
    }
    for (const packet of packets) {
      const text = await legacyFilter(system, packet.family);
      const legacy = text === undefined ? undefined : iptablesChains(text, packet);
      if (!legacy?.isDropping) continue;
      const { family, port } = packet;
      const chain = family === 4 ? "INPUT" : "INPUT (ip6tables)";
      found.push({ chain, family, port, fate: fateIn(legacy.chains, "INPUT") });
    }
    return { seen: found };
  } catch (error) {
    if (!(error instanceof FlanError || error instanceof SyntaxError)) throw error;
    return { unseen: messageOf(error) };
  }
}

/** Those of iptables by its own words: to nft most of its conditions are opaque. */
async function chainsOf(
  system: System,
  { of, table, name, packet }: { of: string; table: string; name: string; packet: InboundPacket },
): Promise<Chains | undefined> {
  const program = nftFamily(packet.family);
  if (of === program && table === "filter" && name === "INPUT") {
    const text = await system.output([`${program}tables-nft-save`, "-t", "filter"]);
    if (text !== undefined) return iptablesChains(text, packet).chains;
  }
  const json = await system.output(["nft", "-j", "list", "table", of, table]);
  return json === undefined ? undefined : nftChains(json, packet);
}
