/** What the doctor learns from files below /proc and /etc, and from what the packet filter's programs print. */
import { holdersOf } from "../../control/socket_holders.ts";
import { baseChains } from "../../doctor/base_chains.ts";
import type { NetworkdFacts, Seen, UdpSocket, UnitFile } from "../../doctor/facts.ts";
import { legacyDrops, legacyName, letsThrough, passes } from "../../doctor/forward_chains.ts";
import { nftFamily } from "../../kernel/state.ts";
import { parseUdp } from "../../net/proc_udp.ts";
import { FlanError, messageOf } from "../../net/errors.ts";
import type { Cidr, Family } from "../../net/ip.ts";
import { seeing } from "./seeing.ts";
import type { System } from "./system.ts";

/** The UDP sockets on one of `ports`, with who holds them where this user may see that. */
export function lookAtUdp(system: System, ports: readonly number[]): readonly UdpSocket[] {
  // A socket of IPv6 takes the port of IPv4 as well where it is bound to no address or to one of IPv4.
  const lines = ["/proc/net/udp", "/proc/net/udp6"].flatMap((path) => parseUdp(system.text(path) ?? ""))
    .filter(({ address, port }) => ports.includes(port) && (address === "::" || !address.includes(":")));
  if (lines.length === 0) return [];
  const holders = holdersOf(system, new Set(lines.map(({ inode }) => inode)));
  return lines.map(({ address, port, inode }) => ({
    address,
    port,
    holder: holders.get(inode),
  }));
}

/** The chains that drop what is forwarded and let nothing of one of the `networks` through whose packets they see. */
export async function lookAtFilter(
  system: System,
  networks: readonly Cidr[],
): Promise<Seen<readonly string[]>> {
  if (!system.isAdmin) return { unseen: "only root sees the packet filter" };
  const [chains, ...legacies] = await Promise.all([
    system.output(["nft", "-j", "list", "chains"]),
    ...networks.map(({ family }) => legacyFilter(system, family)),
  ]);
  if (chains === undefined && legacies.every((legacy) => legacy === undefined)) {
    return { unseen: "nft cannot be run (apt-get install nftables)" };
  }
  try {
    const dropping: string[] = [];
    const found = chains === undefined ? [] : baseChains(chains, "forward");
    for (const { family, table, name } of found.filter(({ policy }) => policy === "drop")) {
      const chain = `${family} ${table} ${name}`;
      const passing = networks.filter((network) => passes(chain, network.family));
      if (passing.length === 0) continue;
      const rules = await system.output(["nft", "-j", "list", "chain", family, table, name]);
      if (rules === undefined || !passing.every((one) => letsThrough(rules, one))) dropping.push(chain);
    }
    const ofIptables = networks.filter((network, i) => {
      const legacy = legacies[i];
      return legacy !== undefined && legacyDrops(legacy, network);
    });
    return { seen: [...dropping, ...ofIptables.map(({ family }) => legacyName(family))] };
  } catch (error) {
    if (!(error instanceof FlanError || error instanceof SyntaxError)) throw error;
    return { unseen: messageOf(error) };
  }
}

/** Where the kernel has tables of iptables' own, which nft does not see. */
export async function legacyFilter(system: System, family: Family): Promise<string | undefined> {
  const name = nftFamily(family);
  const tables = system.text(`/proc/net/${name}_tables_names`) ?? "";
  if (!tables.split("\n").includes("filter")) return undefined;
  return await system.output([`${name}tables-legacy-save`, "-t", "filter"]) ??
    await system.output([`${name}tables-save`, "-t", "filter"]);
}

/** Where systemd looks for its files; of two with one name the first directory's counts (systemd.link(5)). */
const DIRECTORIES = [
  "/etc/systemd/network",
  "/run/systemd/network",
  "/usr/local/lib/systemd/network",
  "/usr/lib/systemd/network",
];

export function lookAtNetworkd(system: System): NetworkdFacts {
  return {
    isRunning: system.names("/run/systemd/netif").includes("state"),
    linkFiles: unitFiles(system, ".link"),
    networkFiles: unitFiles(system, ".network"),
  };
}

function unitFiles(system: System, suffix: string): readonly UnitFile[] {
  const places = new Map<string, string>();
  for (const directory of DIRECTORIES) {
    for (const name of system.names(directory)) {
      if (name.endsWith(suffix) && !places.has(name)) places.set(name, `${directory}/${name}`);
    }
  }
  return [...places].sort(([a], [b]) => a < b ? -1 : 1).map(([, path]) => ({
    path,
    text: seeing(() => system.text(path) ?? ""),
  }));
}
