/** What bears flan's mark and has to be left, each with the command by which somebody removes it by hand. */
import { isFirewalls, linkOf } from "../kernel/relations.ts";
import {
  describe,
  type ForwardRules,
  type KernelObject,
  type Masquerade,
  nftFamily,
  ROUTE_PROTOCOL,
} from "../kernel/state.ts";
import type { InIptables } from "../agent/host_kernel.ts";
import { shellWords } from "../kernel/commands.ts";
import { familyOf } from "../net/ip.ts";
import { printable } from "../net/text.ts";

export interface Remain {
  /** `link flan.1`, `3 routes`. */
  readonly what: string;
  readonly command: string;
}

const kinds: readonly [(object: KernelObject) => boolean, one: string, many: string, flush: string][] = [
  [(one) => one.kind === "route" && familyOf(one.destination) === 4, "route", "routes", "ip route flush"],
  [
    (one) => one.kind === "route" && familyOf(one.destination) === 6,
    "IPv6 route",
    "IPv6 routes",
    "ip -6 route flush",
  ],
  [(one) => one.kind === "nexthop", "nexthop", "nexthops", "ip nexthop flush"],
];

/** A link takes along what lives on it. `inIptables`: what of the packet filter iptables shows, and nftables does not. */
export function remainsOf(
  objects: readonly KernelObject[],
  inIptables: readonly InIptables[] = [],
): readonly Remain[] {
  const links = objects.filter(({ kind }) => kind === "link");
  const taken = new Set(links.map((link) => link.kind === "link" ? link.name : ""));
  const others = objects.filter((object) => !taken.has(linkOf(object)));
  const shown = new Set(inIptables.flatMap(({ objects }) => objects.map(describe)));
  return [
    ...links.map(remainOfLink),
    ...kinds.flatMap(([isOne, one, many, flush]): Remain[] => {
      const count = others.filter(isOne).length;
      const command = `${flush} proto ${ROUTE_PROTOCOL}`;
      return count === 0 ? [] : [{ what: count === 1 ? `1 ${one}` : `${count} ${many}`, command }];
    }),
    ...others.filter(isFirewalls).filter((rules) => !shown.has(describe(rules))).map(remainOfRules),
    ...inIptables.map(remainInIptables),
  ];
}

function remainOfLink(link: KernelObject): Remain {
  const name = link.kind === "link" ? printable(link.name) : "";
  return { what: `link ${name}`, command: `ip link delete ${name}` };
}

/** A rule in somebody else's chain is deleted by its handle, which changes each time. */
function remainOfRules(rules: Masquerade | ForwardRules): Remain {
  if (rules.kind === "masquerade") {
    return { what: describe(rules), command: `nft delete table ${nftFamily(rules.family)} flan` };
  }
  const chain = printable(rules.chain);
  return {
    what: describe(rules),
    command: `nft -a list chain ${chain}, and nft delete rule ${chain} handle N for those with comment ` +
      `"${printable(rules.alias)}"`,
  };
}

/** Without a word about any other rule: who saves all and restores a part loses what others put there meanwhile. */
function remainInIptables({ program, objects, removal }: InIptables): Remain {
  const printf = shellWords(["printf", "%s\\n", ...removal.map((line) => printable(line, Infinity))]);
  return {
    what: `${objects.map(describe).join(", ")} (iptables)`,
    command: `${printf} | ${program}-restore --noflush`,
  };
}
