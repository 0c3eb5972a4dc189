/** What `iptables-save` prints (man 8 iptables-save), as far as flan's rules and the FORWARD chain are concerned. */
import type { PacketRule } from "../kernel/state.ts";

export interface SavedRule {
  readonly table: string;
  readonly chain: string;
  /** As it was printed, without `-A` and the chain. */
  readonly text: string;
  readonly comment: string | undefined;
  /** Where it jumps to, or what it does. */
  readonly target: string | undefined;
  readonly rule: PacketRule;
}

export interface Saved {
  /** Built-in chains with their policy and others with "-", by table and name: `filter FORWARD`. */
  readonly chains: ReadonlyMap<string, string>;
  readonly rules: readonly SavedRule[];
}

export function parseSaved(text: string): Saved {
  const chains = new Map<string, string>();
  const rules: SavedRule[] = [];
  let table = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("*")) table = line.slice(1).trim();
    const chain = /^:(\S+) (\S+)/.exec(line);
    if (chain !== null) chains.set(`${table} ${chain[1]}`, chain[2]!);
    const rule = /^-A (\S+) (.*)$/.exec(line);
    if (rule !== null) {
      rules.push({ table, chain: rule[1]!, text: rule[2]!, ...meaningOf(wordsOf(rule[2]!)) });
    }
  }
  return { chains, rules };
}

/** Words as iptables quotes them: in double quotes, with a backslash before what would end them. */
function wordsOf(text: string): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) =>
    plain ?? quoted!.replace(/\\(.)/g, "$1")
  );
}

const actions: Readonly<Record<string, PacketRule["action"]>> = {
  ACCEPT: "accept",
  RETURN: "return",
  MASQUERADE: "masquerade",
};

function meaningOf(words: readonly string[]): Pick<SavedRule, "comment" | "target" | "rule"> {
  const rule: { -readonly [K in keyof PacketRule]?: PacketRule[K] } = {};
  let comment: string | undefined;
  let target: string | undefined;
  let isKnown = true;
  for (let at = 0; at < words.length; at++) {
    const negated = words[at] === "!";
    if (negated) at++;
    const [word, value = ""] = [words[at], words[at + 1]];
    if (word === "--random-fully" && !negated) continue;
    at++;
    if (word === "-s" || word === "-d") {
      rule[word === "-s" ? "source" : "destination"] = negated ? `!${value}` : value;
    } else if (negated) isKnown = false;
    else if (word === "--comment") comment = value;
    else if (word === "-j") target = value;
    else if (word === "--mark") {
      const [mark, mask] = value.split("/");
      isKnown &&= mark === mask;
      rule.mark = mark!;
    } else if (word !== "-m") isKnown = false;
  }
  const masksAll = target !== "MASQUERADE" || words.includes("--random-fully");
  const action = isKnown && masksAll ? actions[target ?? ""] : undefined;
  return { comment, target, rule: action === undefined ? { action: "other" } : { ...rule, action } };
}
