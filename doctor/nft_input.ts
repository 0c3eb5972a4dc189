/** Chains on the input hook in nftables' JSON (libnftables-json(5)), as what they are to one packet. Pure. */
import { check, v } from "../net/schema.ts";
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

const listed = v.object({
  nftables: v.array(v.object({
    chain: v.optional(v.object({ name: v.string() })),
    rule: v.optional(
      v.object({ chain: v.string(), expr: v.optional(v.array(v.record(v.string(), v.unknown()))) }),
    ),
  })),
});

/** The chains of `nft -j list table …`. Throws `invalid`. */
export function nftChains(json: string, packet: InboundPacket): Chains {
  const chains = new Map<string, InputRule[]>();
  for (const { chain, rule } of check(listed, JSON.parse(json), "what nft says").nftables) {
    if (chain !== undefined) chains.set(chain.name, chains.get(chain.name) ?? []);
    if (rule !== undefined) chains.get(rule.chain)?.push(...rulesOf(rule.expr ?? [], packet));
  }
  return chains;
}

type Statement = Readonly<Record<string, unknown>>;

/** Statements that let every packet go on. */
const neutral: ReadonlySet<string> = new Set(["counter", "log"]);

/** One, or one for each element of a verdict map. */
function rulesOf(statements: readonly Statement[], packet: InboundPacket): InputRule[] {
  const conditions: Truth[] = [];
  let verdict: Verdict = { kind: "none" };
  for (const [name, said] of statements.flatMap((one) => Object.entries(one))) {
    const decided = verdictOf(name, said);
    if (decided !== undefined) verdict = decided;
    else if (name === "match") conditions.push(matches(said, packet));
    else if (name === "vmap") return mapped(said, { conditions, packet });
    else if (!neutral.has(name)) conditions.push(undefined);
  }
  return [{ fits: allOf(conditions), verdict }];
}

/** A verdict map that stands in its rule; of one that has a name nothing is known but for what key. */
function mapped(
  said: unknown,
  { conditions, packet }: { conditions: readonly Truth[]; packet: InboundPacket },
): InputRule[] {
  const key = fieldOf(said, "key");
  const elements = fieldOf(fieldOf(said, "data"), "set");
  if (isOther(key, packet)) return [];
  if (!Array.isArray(elements)) return [{ fits: allOf(conditions), verdict: { kind: "unknown" } }];
  return elements.map((element: unknown) => {
    const [value, decided] = Array.isArray(element) ? element : [];
    const [[name, what] = ["", undefined]] = Object.entries(Object(decided) as Statement);
    return {
      fits: allOf([...conditions, compare(key, value, packet)]),
      verdict: verdictOf(name, what) ?? { kind: "unknown" },
    };
  });
}

function verdictOf(name: string, said: unknown): Verdict | undefined {
  switch (name) {
    case "accept":
    case "drop":
    case "return":
      return { kind: name };
    case "reject":
      return { kind: "drop" };
    case "jump":
    case "goto": {
      const target = fieldOf(said, "target");
      return typeof target === "string" ? { kind: name, target } : { kind: "unknown" };
    }
    case "queue":
    case "tproxy":
    case "synproxy":
    case "continue":
      return { kind: name === "continue" ? "none" : "unknown" };
    default:
      return undefined;
  }
}

function matches(said: unknown, packet: InboundPacket): Truth {
  const [op, left, right] = ["op", "left", "right"].map((name) => fieldOf(said, name));
  if (isOther(left, packet)) return false;
  if (op !== "==" && op !== "in" && op !== "!=") return undefined;
  const fits = compare(left, right, packet);
  return op === "!=" ? not(fits) : fits;
}

/** Headers of which a packet has one: a condition on a field of another one never holds. */
const headers: ReadonlySet<unknown> = new Set([
  ...["udp", "tcp", "icmp", "icmpv6", "igmp", "sctp", "dccp", "ah", "esp", "comp"],
]);

function isOther(left: unknown, { payload: { protocol } }: InboundPacket): boolean {
  const header = fieldOf(fieldOf(left, "payload"), "protocol");
  // A port of whatever transport: a packet without ports has none.
  if (header === "th") return protocol !== "udp";
  return headers.has(header) && header !== protocol;
}

function compare(left: unknown, right: unknown, packet: InboundPacket): Truth {
  const { payload } = packet;
  const [header, field] = ["protocol", "field"].map((name) => fieldOf(fieldOf(left, "payload"), name));
  const isOwn = (one: unknown) =>
    typeof one === "string" || typeof one === "number" ? isProtocol(one, payload) : undefined;
  if ((header === "udp" || header === "th") && field === "dport" && payload.protocol === "udp") {
    return holds(right, isPort(payload.port));
  }
  if (header === "ip" || header === "ip6") {
    if ((header === "ip6") !== (packet.family === 6)) return undefined;
    return field === "protocol" || field === "nexthdr" ? holds(right, isOwn) : undefined;
  }
  switch (fieldOf(fieldOf(left, "meta"), "key")) {
    case "l4proto":
      return holds(right, isOwn);
    case "nfproto":
      return holds(right, (one) => one === `ipv${packet.family}`);
    case "iif":
    case "iifname":
      return holds(right, (one) => typeof one === "string" ? isNamed(one, "*", packet.link) : undefined);
  }
  const ofConnection = fieldOf(fieldOf(left, "ct"), "key");
  // Peers send to the place that the packet comes in at.
  if (ofConnection === "status") return holds(right, (one) => one === "dnat" ? false : undefined);
  if (ofConnection !== "state") return undefined;
  const states = elementsOf(right);
  return states?.every((one) => typeof one === "string")
    ? isInState(states as readonly string[], packet)
    : undefined;
}

/** Whether one of the elements fits; undefined where none is known to, and of one it is not known. */
function holds(right: unknown, fits: (element: unknown) => Truth): Truth {
  const truths = elementsOf(right)?.map(fits) ?? [undefined];
  return truths.includes(true) ? true : truths.includes(undefined) ? undefined : false;
}

/** Those of a set that stands in the rule, or the one value; undefined for a set of a name of its own. */
function elementsOf(right: unknown): readonly unknown[] | undefined {
  if (typeof right === "string" && right.startsWith("@")) return undefined;
  const set = fieldOf(right, "set") ?? right;
  return Array.isArray(set) ? set : [set];
}

function isPort(port: number): (element: unknown) => Truth {
  return (element) => {
    const range = fieldOf(element, "range");
    if (Array.isArray(range)) return Number(range[0]) <= port && port <= Number(range[1]);
    return typeof element === "number" ? element === port : undefined;
  };
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
