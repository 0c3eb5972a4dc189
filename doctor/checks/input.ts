/** Whether the packet filter lets the packets of peers in, and those by which hosts measure the network. */
import { printable } from "../../net/text.ts";
import { type Check, looked } from "../check.ts";
import { type Diagnosis, diagnosis } from "../diagnosis.ts";
import type { InputChain } from "../facts.ts";
import { type Payload, protocolNumber } from "../input_chains.ts";

export const input: Check = {
  name: "input chains",
  judge({ network, input }) {
    const outcome = looked([network, input], (_, chains) => chains.flatMap(judgeChain));
    const unknown = "seen" in input
      ? input.seen.find(({ fate, isProbe }) => fate === "unknown" && !isProbe)
      : undefined;
    if (unknown === undefined || outcome.unseen !== undefined) return outcome;
    return {
      ...outcome,
      unseen: `whether chain ${unknown.chain} lets ${nameOf(unknown.payload)} in cannot be told`,
    };
  },
};

function judgeChain(found: InputChain): Diagnosis[] {
  const { chain, payload, link, isProbe, fate } = found;
  if (fate !== "dropped") return [];
  const name = nameOf(payload);
  const what = payload.protocol === "udp" ? `to ${name}` : `by ${name}`;
  const whose = isProbe
    ? `what other hosts measure the network by, which comes in by ${printable(link)}`
    : "what peers send";
  return [diagnosis(isProbe ? "probe-drop" : "input-drop", {
    subject: `${chain}, ${name}`,
    message: `Chain ${chain} drops ${whose} ${what}, and no rule lets it in`,
    remedy: openingOf(found),
  })];
}

function nameOf(payload: Payload): string {
  switch (payload.protocol) {
    case "udp":
      return `UDP port ${payload.port}`;
    case "esp":
      return "ESP";
    case "ipip":
      return "IPIP";
  }
}

/** First in the chain, before whatever drops there. */
function openingOf({ chain, payload, program }: InputChain): string {
  // By its number, which is known without /etc/protocols.
  const number = protocolNumber[payload.protocol];
  const port = payload.protocol === "udp" ? payload.port : undefined;
  switch (program) {
    case "nft":
      return `nft insert rule ${chain} ${
        port === undefined ? `meta l4proto ${number}` : `udp dport ${port}`
      } accept`;
    case "firewall-cmd":
      return port === undefined
        ? `firewall-cmd --add-protocol=${number}`
        : `firewall-cmd --add-port=${port}/udp`;
    default:
      return `${program} -I INPUT -p ${port === undefined ? number : `udp --dport ${port}`} -j ACCEPT`;
  }
}
