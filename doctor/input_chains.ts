/**
 * What chains on the input hook do to a packet from a peer, by their rules as far as these can be told: nobody is said
 * to be locked out whom some rule might let in. Pure.
 */
import type { Family } from "../net/ip.ts";
import type { BaseChain } from "./base_chains.ts";

/** What stands behind a packet's IP header: UDP with its destination port, ESP (RFC 4303), or IPv4 in IPv4 (RFC 2003). */
export type Payload =
  | { readonly protocol: "udp"; readonly port: number }
  | { readonly protocol: "esp" | "ipip" };

/** The first packet of a peer's to this host's end of the tunnel, or of one that measures the network. */
export interface InboundPacket {
  readonly family: Family;
  readonly payload: Payload;
  /** The link that it comes in by. */
  readonly link: string;
  /** Whether both ends send as they are sent to: then the packet may be the answer to one of this host's. */
  readonly isSymmetric: boolean;
  /** Whether it only measures the network. */
  readonly isProbe: boolean;
}

/** The assigned number (iana.org/assignments/protocol-numbers). */
export const protocolNumber: Readonly<Record<Payload["protocol"], number>> = { ipip: 4, udp: 17, esp: 50 };

/** As programs show it: by its number, or by its name in /etc/protocols, which may have several. */
const protocolNames: Readonly<Record<Payload["protocol"], readonly string[]>> = {
  ipip: ["ipencap", "ipip", "ipv4"],
  udp: ["udp"],
  esp: ["esp", "ipv6-crypt"],
};

/** Whether somebody's word for a protocol means the packet's own. */
export function isProtocol(said: string | number, { protocol }: Payload): boolean {
  return Number(said) === protocolNumber[protocol] ||
    protocolNames[protocol].includes(String(said).toLowerCase());
}

/** Whether something holds; undefined where that cannot be told. */
export type Truth = boolean | undefined;

/** `unknown`: whatever it does, it may let the packet in. */
export type Verdict =
  | { readonly kind: "accept" | "drop" | "return" | "none" | "unknown" }
  | { readonly kind: "jump" | "goto"; readonly target: string };

export interface InputRule {
  /** Whether all its conditions hold for the packet. */
  readonly fits: Truth;
  readonly verdict: Verdict;
}

/** By their names: the rules of a table's chains, in order. */
export type Chains = ReadonlyMap<string, readonly InputRule[]>;

/** What becomes of the packet in a base chain. */
export type Fate = "passes" | "dropped" | "unknown";

/** Chains may call one another so deeply (NFT_JUMP_STACK_SIZE). */
const DEPTH = 16;

/** The packet's fate in one of the chains, whose policy decides where no rule does. */
export function fateIn(chains: Chains, { name, policy }: Pick<BaseChain, "name" | "policy">): Fate {
  const { mayPass, end } = walk(chains, name, 0);
  if (end === "accept" || end === "through" && policy === "accept") return "passes";
  return mayPass ? "unknown" : "dropped";
}

interface Walked {
  /** Whether a rule that cannot be told may have let it in. */
  readonly mayPass: boolean;
  readonly end: "accept" | "drop" | "through";
}

function walk(chains: Chains, name: string, depth: number): Walked {
  const rules = chains.get(name);
  if (rules === undefined || depth > DEPTH) return { mayPass: true, end: "through" };
  let mayPass = false;
  for (const { fits, verdict } of rules) {
    if (fits === false || verdict.kind === "none") continue;
    const sure = fits === true;
    switch (verdict.kind) {
      case "drop":
        if (sure) return { mayPass, end: "drop" };
        break;
      case "accept":
      case "return":
        if (sure) return { mayPass, end: verdict.kind === "accept" ? "accept" : "through" };
        mayPass = true;
        break;
      case "unknown":
        mayPass = true;
        break;
      case "jump":
      case "goto": {
        const inner = walk(chains, verdict.target, depth + 1);
        mayPass ||= inner.mayPass || !sure && inner.end === "accept";
        if (sure && inner.end !== "through") return { mayPass, end: inner.end };
        if (verdict.kind === "goto" && sure) return { mayPass, end: "through" };
        if (verdict.kind === "goto") mayPass = true;
      }
    }
  }
  return { mayPass, end: "through" };
}

/** All of them; one that is known not to hold decides. */
export function allOf(conditions: readonly Truth[]): Truth {
  if (conditions.includes(false)) return false;
  return conditions.includes(undefined) ? undefined : true;
}

export function not(truth: Truth): Truth {
  return truth === undefined ? undefined : !truth;
}

/** Whether a connection in one of these states is the packet's (nf_conntrack). */
export function isInState(states: readonly string[], { isSymmetric }: InboundPacket): Truth {
  const said = states.map((state) => state.toLowerCase());
  if (said.includes("new")) return true;
  return said.includes("untracked") || isSymmetric && said.includes("established") ? undefined : false;
}

/** Whether a link's name fits a pattern, whose last character may stand for any others. */
export function isNamed(pattern: string, wildcard: string, link: string): boolean {
  return pattern.endsWith(wildcard) ? link.startsWith(pattern.slice(0, -1)) : link === pattern;
}
