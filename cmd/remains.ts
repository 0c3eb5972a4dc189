/** What bears flan's mark and has to be left, each with the command by which somebody removes it by hand. */
import { isFirewalls, linkOf } from "../kernel/relations.ts";
import {
  describe,
  type ForwardRules,
  type KernelObject,
  type Masquerade,
  ROUTE_PROTOCOL,
} from "../kernel/state.ts";
import type { InIptables } from "../agent/host_kernel.ts";
import { shellWords } from "../kernel/commands.ts";
import { printable } from "../net/text.ts";

export interface Remain {
  /** `link flan.1`, `3 routes`. */
  readonly what: string;
  readonly command: string;
}

const kinds = [
  ["route", "route", "routes"],
  ["nexthop", "nexthop", "nexthops"],
] as const;

/** A link takes along what lives on it. `inIptables`: what of the packet filter iptables shows, and nftables does not. */
export function remainsOf(
  objects: readonly KernelObject[],
  inIptables: InIptables = { objects: [], removal: [] },
): readonly Remain[] {
  const links = objects.filter(({ kind }) => kind === "link");
  const taken = new Set(links.map((link) => link.kind === "link" ? link.name : ""));
  const others = objects.filter((object) => !taken.has(linkOf(object)));
  const shown = new Set(inIptables.objects.map(describe));
  return [
    ...links.map(remainOfLink),
    ...kinds.flatMap(([kind, one, many]): Remain[] => {
      const count = others.filter((object) => object.kind === kind).length;
      const command = `ip ${one} flush proto ${ROUTE_PROTOCOL}`;
      return count === 0 ? [] : [{ what: count === 1 ? `1 ${one}` : `${count} ${many}`, command }];
    }),
    ...others.filter(isFirewalls).filter((rules) => !shown.has(describe(rules))).map(remainOfRules),
    ...(inIptables.objects.length === 0 ? [] : [remainInIptables(inIptables)]),
  ];
}

function remainOfLink(link: KernelObject): Remain {
  const name = link.kind === "link" ? printable(link.name) : "";
  return { what: `link ${name}`, command: `ip link delete ${name}` };
}

/** A rule in somebody else's chain is deleted by its handle, which changes each time. */
function remainOfRules(rules: Masquerade | ForwardRules): Remain {
  if (rules.kind === "masquerade") return { what: describe(rules), command: "nft delete table ip flan" };
  const chain = printable(rules.chain);
  return {
    what: describe(rules),
    command: `nft -a list chain ${chain}, and nft delete rule ${chain} handle N for those with comment ` +
      `"${printable(rules.alias)}"`,
  };
}

/** Without a word about any other rule: who saves all and restores a part loses what others put there meanwhile. */
function remainInIptables({ objects, removal }: InIptables): Remain {
  const printf = shellWords(["printf", "%s\\n", ...removal.map((line) => printable(line, Infinity))]);
  return {
    what: `${objects.map(describe).join(", ")} (iptables)`,
    command: `${printf} | iptables-restore --noflush`,
  };
}
