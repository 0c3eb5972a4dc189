/** INPUT in what iptables-save prints (iptables(8), iptables-extensions(8)), as what it is to one packet. Pure. */
import type { Policy } from "./base_chains.ts";
import {
  allOf,
  type Chains,
  type InboundPacket,
  type InputRule,
  isInState,
  isNamed,
  isProtocol,
  not,
  type Truth,
  type Verdict,
} from "./input_chains.ts";

/** The chains of `iptables-save -t filter`, and the policy of INPUT. */
export function iptablesChains(
  text: string,
  packet: InboundPacket,
): { readonly chains: Chains; readonly policy: Policy } {
  const lines = text.split("\n");
  const chains = new Map<string, InputRule[]>(
    lines.flatMap((line) => /^:(\S+)/.exec(line)?.[1] ?? []).map((name) => [name, []]),
  );
  for (const line of lines) {
    const [, name, rest] = /^-A (\S+) (.*)$/.exec(line) ?? [];
    if (name !== undefined) chains.get(name)?.push(ruleOf(rest!, { packet, names: chains }));
  }
  return { chains, policy: lines.some((line) => line.startsWith(":INPUT DROP")) ? "drop" : "accept" };
}

/** Targets after which the next rule is looked at. */
const goOn: ReadonlySet<string> = new Set(["LOG", "NFLOG", "TRACE"]);
/** Matches that are no condition of their own, but for their options. */
const plain: ReadonlySet<string> = new Set([
  "udp",
  "tcp",
  "conntrack",
  "state",
  "multiport",
  "comment",
  "addrtype",
]);

function ruleOf(
  text: string,
  { packet, names }: { packet: InboundPacket; names: ReadonlyMap<string, unknown> },
): InputRule {
  const words = text.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
  const conditions: Truth[] = [];
  let verdict: Verdict = { kind: "none" };
  for (let i = 0; i < words.length; i++) {
    const isNegated = words[i] === "!";
    const option = words[isNegated ? ++i : i] ?? "";
    const values: string[] = [];
    while (i + 1 < words.length && !/^(-|!$)/.test(words[i + 1]!)) values.push(words[++i]!);
    if (option === "-j" || option === "-g") {
      verdict = verdictOf(values[0] ?? "", { isGoto: option === "-g", names });
      // What else stands there says how the target does it.
      break;
    }
    const truth = conditionOf(option, values[0] ?? "", packet);
    conditions.push(isNegated ? not(truth) : truth);
  }
  return { fits: allOf(conditions), verdict };
}

function verdictOf(
  target: string,
  { isGoto, names }: { isGoto: boolean; names: ReadonlyMap<string, unknown> },
): Verdict {
  if (target === "ACCEPT") return { kind: "accept" };
  if (target === "DROP" || target === "REJECT") return { kind: "drop" };
  if (target === "RETURN") return { kind: "return" };
  if (goOn.has(target) || target === "") return { kind: "none" };
  return names.has(target) ? { kind: isGoto ? "goto" : "jump", target } : { kind: "unknown" };
}

function conditionOf(option: string, value: string, packet: InboundPacket): Truth {
  switch (option) {
    case "-p":
      return value === "all" || isProtocol(value, packet.payload);
    case "-i":
      return isNamed(value, "+", packet.link);
    case "-m":
      return plain.has(value) ? true : undefined;
    case "--comment":
      return true;
    case "--dport":
    case "--dports":
      return packet.payload.protocol === "udp" && isAmong(value, packet.payload.port);
    case "--dst-type":
      // The packet is for this host's own address.
      return value.split(",").includes("LOCAL");
    case "--ctstate":
    case "--state":
      return isInState(value.split(","), packet);
    default:
      return undefined;
  }
}

/** Of `22,8472,8000:9000`, where either end of a range may be left out. */
function isAmong(text: string, port: number): boolean {
  return text.split(",").some((one) => {
    const [from = "", to = from] = one.split(":");
    return Number(from || 0) <= port && port <= Number(to || 65535);
  });
}
