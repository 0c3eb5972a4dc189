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
  inIptables: readonly KernelObject[] = [],
): readonly Remain[] {
  const links = objects.filter(({ kind }) => kind === "link");
  const taken = new Set(links.map((link) => link.kind === "link" ? link.name : ""));
  const others = objects.filter((object) => !taken.has(linkOf(object)));
  const shown = new Set(inIptables.map(describe));
  return [
    ...links.map(remainOfLink),
    ...kinds.flatMap(([isOne, one, many, flush]): Remain[] => {
      const count = others.filter(isOne).length;
      const command = `${flush} proto ${ROUTE_PROTOCOL}`;
      return count === 0 ? [] : [{ what: count === 1 ? `1 ${one}` : `${count} ${many}`, command }];
    }),
    ...others.filter(isFirewalls).filter((rules) => !shown.has(describe(rules))).map(remainOfRules),
    ...(inIptables.length === 0 ? [] : [remainInIptables(inIptables)]),
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

function remainInIptables(rules: readonly KernelObject[]): Remain {
  const isOf6 = (one: KernelObject) =>
    one.kind === "masquerade"
      ? one.family === 6
      : one.kind === "forward-rules" && one.chain.startsWith("ip6 ");
  const programs = [...rules.every(isOf6) ? [] : ["iptables"], ...rules.some(isOf6) ? ["ip6tables"] : []];
  const commands = programs.map((program) =>
    `${program}-save | grep -v -e '--comment "flan ' -e FLAN-POSTRTG | ${program}-restore`
  );
  return {
    what: `${rules.map(describe).join(", ")} (iptables)`,
    command: commands.join("; "),
  };
}
