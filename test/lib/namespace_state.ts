/** Everything that is configured in a network namespace, for comparing before with after. */
import type { LabHost } from "../../cmd/demo/lab.ts";
import { must } from "../../cmd/demo/shell.ts";

type Row = Readonly<Record<string, unknown>>;

export interface NamespaceState {
  readonly links: readonly Row[];
  readonly addresses: readonly Row[];
  readonly routes: readonly Row[];
  readonly neighbours: readonly Row[];
  readonly nexthops: readonly Row[];
  readonly fdb: readonly Row[];
  readonly nft: unknown;
  readonly sysctls: readonly string[];
}

/**
 * Reads a host's namespace. Left out is what changes by itself: counters, lifetimes, neighbours that traffic made
 * and that age, and the sysctls that are counters. With `indexes: false` also the numbers of links and routes that
 * a device made anew changes.
 */
export async function namespaceState(
  { namespace }: LabHost,
  { indexes = true }: { indexes?: boolean } = {},
): Promise<NamespaceState> {
  const show = async (program: "ip" | "bridge", line: string): Promise<Row[]> =>
    JSON.parse(await must([program, "-netns", namespace, "-j", ...line.split(" ")]) || "[]");
  const within = (argv: readonly string[]) => must(["ip", "netns", "exec", namespace, ...argv]);
  const volatile = [...counters, ...(indexes ? [] : ["ifindex", "link_index"])];
  const [links, addresses, routes4, routes6, neighbours, nexthops, fdb, nft, sysctls] = await Promise.all([
    show("ip", "-details link show"),
    show("ip", "address show"),
    show("ip", "-4 route show table all"),
    show("ip", "-6 route show table all"),
    show("ip", "neighbour show"),
    show("ip", "nexthop show"),
    show("bridge", "fdb show"),
    within(["nft", "-j", "list", "ruleset"]),
    within(["sysctl", "--all", "--pattern", "^net\\."]),
  ]);
  return {
    links: tidy(links, volatile),
    addresses: tidy(addresses, volatile),
    routes: tidy([...routes4, ...routes6], volatile),
    neighbours: tidy(neighbours.filter(isConfigured), ["used", "confirmed", "updated", "probes", "refcnt"]),
    nexthops: tidy(nexthops, []),
    fdb: tidy(fdb, []),
    nft: JSON.parse(nft),
    sysctls: sysctls.trim().split("\n").filter((line) => !counting.test(line)),
  };
}

/** Times that run, and what the bridge counts. */
const counters = [
  "valid_life_time",
  "preferred_life_time",
  "expires",
  "hello_timer",
  "tcn_timer",
  "topology_change_timer",
  "gc_timer",
  "forward_delay_timer",
  "message_age_timer",
  "hold_timer",
];

const counting = /^net\.(netfilter\.nf_conntrack_count|.*\.tcp_fastopen_key|ipv4\.tcp_mem)\b/;

function isConfigured(neighbour: Row): boolean {
  return (neighbour["state"] as string[]).includes("PERMANENT");
}

/** Without the volatile fields, in an order that does not depend on when something was made. */
function tidy(rows: readonly Row[], volatile: readonly string[]): Row[] {
  return rows.map((row) => without(row, volatile) as Row)
    .map((row) => [JSON.stringify(row), row] as const)
    .sort(([a], [b]) => a < b ? -1 : 1)
    .map(([, row]) => row);
}

function without(value: unknown, names: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((one) => without(one, names));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([name]) => !names.includes(name)).map((
      [name, one],
    ) => [name, without(one, names)]),
  );
}
