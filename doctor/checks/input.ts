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

function judgeChain(found: InputChain): Diagnosis[] {
  const { chain, port, fate } = found;
  if (fate !== "dropped") return [];
  return [diagnosis("input-drop", {
    subject: `${chain}, UDP port ${port}`,
    message: `Chain ${chain} drops what peers send to UDP port ${port}, and no rule lets it in`,
    remedy: openingOf(found),
  })];
}

/** First in the chain, before whatever drops there. */
function openingOf({ chain, port, program }: InputChain): string {
  switch (program) {
    case "nft":
      return `nft insert rule ${chain} udp dport ${port} accept`;
    case "firewall-cmd":
      return `firewall-cmd --add-port=${port}/udp`;
    default:
      return `${program} -I INPUT -p udp --dport ${port} -j ACCEPT`;
  }
}
