/** Whether the packet filter lets the packets of peers in at the backend's port. */
import { type Check, looked } from "../check.ts";
import { type Diagnosis, diagnosis } from "../diagnosis.ts";
import type { InputChain } from "../facts.ts";

export const input: Check = {
  name: "input chains",
  judge({ network, input }) {
    const outcome = looked([network, input], (_, chains) => chains.flatMap(judgeChain));
    const unknown = "seen" in input ? input.seen.find(({ fate }) => fate === "unknown") : undefined;
    if (unknown === undefined || outcome.unseen !== undefined) return outcome;
    return {
      ...outcome,
      unseen: `whether chain ${unknown.chain} lets UDP port ${unknown.port} in cannot be told`,
    };
  },
};

function judgeChain({ chain, family, port, fate }: InputChain): Diagnosis[] {
  if (fate !== "dropped") return [];
  const [first, table, name] = chain.split(" ");
  const isIptables = table === undefined || name === "INPUT" && table === "filter";
  const program = family === 4 ? "iptables" : "ip6tables";
  return [diagnosis("input-drop", {
    subject: chain,
    message: `Chain ${chain} drops by policy what peers send to UDP port ${port}, and no rule lets it in`,
    remedy: isIptables
      ? `${program} -I INPUT -p udp --dport ${port} -j ACCEPT`
      : `nft insert rule ${first} ${table} ${name} udp dport ${port} accept`,
  })];
}
