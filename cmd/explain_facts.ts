/** Gathers what the kernel says of a packet's way, for `flan routes explain`. Changes nothing, and needs no root. */
import type { Host, PeerPlan, Underlay } from "../backends/backend.ts";
import { hostOf } from "../backends/dual.ts";
import { linkOfSubnet } from "../kernel/explain/local.ts";
import type { Kernel, RouteQuery } from "../kernel/kernel.ts";
import { forwardingSysctl, forwards } from "../kernel/forwarding.ts";
import { linkOf } from "../kernel/relations.ts";
import { type Address, type KernelObject, keyOf, type Neighbour } from "../kernel/state.ts";
import type { Lookup, ReturnFacts, SourceFacts, UnderlayFacts, WayFacts } from "../kernel/explain/way.ts";
import { KernelError } from "../net/errors.ts";
import { contains, type Family, familyOf, formatIp, parseCidr, parseIp, parsePrefix } from "../net/ip.ts";
import type { Observed } from "./observe.ts";

/** Everything about a packet to `ip` in the peer's subnet. */
export async function wayFacts(
  kernel: Kernel,
  { observed, host, ip, peer, from, ...agent }: Pick<WayFacts, "isAnswered" | "start"> & {
    observed: Observed;
    /** As a host of each family of its underlay. */
    host: Host;
    ip: string;
    peer: PeerPlan;
    from: string | undefined;
  },
): Promise<WayFacts> {
  const { plan, drift, actual, devices: [device = ""] } = observed;
  const wanted = wantedFor(plan.objects, peer, ip);
  const { remote = peer.lease.publicIp } = peer;
  const { underlay } = hostOf(host, familyOf(remote)) ?? host;
  const { query, lookup: path } = await lookUpUnderlay(kernel, { wanted, remote, underlay });
  const source = from === undefined ? undefined : await sourceFacts(kernel, { observed, ip, from });
  const returns = await returnsOf(kernel, { wanted, ip, remote, underlay, observed });
  const next = path.match?.route.gateway || remote;
  // No plan needs the underlay's neighbours and filters, so they were not read before.
  const family = familyOf(ip);
  const sysctls = [...rpFilterNames(family, returns.map(({ link }) => link)), forwardingSysctl[family]];
  const more = await kernel.dump({ links: [underlay.link], sysctls, linksOnly: true });
  const facts: UnderlayFacts = {
    remote,
    link: underlay.link,
    query,
    lookup: path,
    mtu: await knownMtu(kernel, remote, query),
    neighbour: more.find((one): one is Neighbour =>
      one.kind === "neighbour" && one.ip === next && one.link === path.match?.route.link
    ),
  };
  return {
    ip,
    wanted,
    ...drift,
    actual,
    lookup: await lookUp(kernel, ip),
    mtu: await knownMtu(kernel, ip),
    ...agent,
    source,
    cutOff: forwards(more, family)
      ? undefined
      : linkOfSubnet(actual, observed.view.own!.subnet, device)?.name,
    underlay: facts,
    returns: returns.map((one) => ({ ...one, rpFilter: rpFilterOf(more, one.link) })),
  };
}

/** Of the plan what the peer has for itself, and the link that its packets leave by with what is on it. */
export function objectsFor(objects: readonly KernelObject[], peer: PeerPlan): readonly KernelObject[] {
  const keys = new Set(peer.keys);
  const own = objects.filter((one) => keys.has(keyOf(one)));
  const links = new Set(own.map(linkOf));
  const shared = (one: KernelObject) =>
    one.kind === "link"
      ? links.has(one.name)
      : (one.kind === "sysctl" || one.kind === "address") && links.has(linkOf(one));
  return objects.filter((one) => keys.has(keyOf(one)) || shared(one));
}

/** The same without the neighbours of a peer that other addresses of its subnet need. */
function wantedFor(objects: readonly KernelObject[], peer: PeerPlan, ip: string): readonly KernelObject[] {
  const all = objectsFor(objects, peer);
  const gateways = new Set(all.flatMap((one) => one.kind === "route" ? [one.gateway] : []));
  return all.filter((one) => one.kind !== "neighbour" || one.ip === ip || gateways.has(one.ip));
}

/** The kernel's verdict; what it refuses is an answer, too. */
export async function lookUp(kernel: Kernel, destination: string, query: RouteQuery = {}): Promise<Lookup> {
  try {
    return { match: await kernel.routeMatch(destination, query) };
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return { refused: { errno: error.errno, reason: error.message.replace(/^.*?: /, "") } };
  }
}

/** The way of the tunnel's packets: as bound to the link as they are, and with the source that they have, which rules may go by. */
async function lookUpUnderlay(
  kernel: Kernel,
  { wanted, remote, underlay: { link, address } }: {
    wanted: readonly KernelObject[];
    remote: string;
    underlay: Underlay;
  },
): Promise<{ query: RouteQuery; lookup: Lookup }> {
  const links = wanted.flatMap((one) => one.kind === "link" ? [one] : []);
  const isBound = links.some(({ vxlan }) => vxlan?.parent === link);
  const hasSource = wanted.some(({ kind }) => kind === "proxy") ||
    links.some(({ vxlan, ipip }) => (vxlan ?? ipip)?.local === address);
  const query = { ...(isBound && { outgoing: link }), ...(hasSource && { source: address }) };
  return { query, lookup: await lookUp(kernel, remote, query) };
}

/** The path MTU that the kernel knows for a destination, or 0. */
async function knownMtu(
  kernel: Pick<Kernel, "routeGet">,
  destination: string,
  query: RouteQuery = {},
): Promise<number> {
  try {
    return (await kernel.routeGet(destination, query)).mtu;
  } catch (error) {
    if (error instanceof KernelError) return 0;
    throw error;
  }
}

async function returnsOf(
  kernel: Kernel,
  { wanted, ip, remote, underlay, observed }: {
    wanted: readonly KernelObject[];
    ip: string;
    remote: string;
    underlay: Underlay;
    observed: Observed;
  },
): Promise<Omit<ReturnFacts, "rpFilter">[]> {
  const outer = { source: remote, destination: underlay.address, link: underlay.link };
  const end = innerEnd(wanted, observed);
  const inner = end === undefined ? [] : [{ source: ip, ...end }];
  return await Promise.all([outer, ...inner].map(async (way) => ({
    ...way,
    isDown: observed.actual.some((one) => one.kind === "link" && one.name === way.link && !one.up),
    lookup: await lookUp(kernel, way.destination, { source: way.source, incoming: way.link }),
  })));
}

/** What is known of the packet's source, and what decides about a packet from there. */
export async function sourceFacts(
  kernel: Kernel,
  { observed: { actual, view, devices: [device = ""] }, ip, from }: {
    observed: Observed;
    ip: string;
    from: string;
  },
): Promise<SourceFacts> {
  const isOwn = actual.some((one) =>
    one.kind === "address" && formatIp(parsePrefix(one.address).ip) === from
  );
  const subnet = view.own!.subnet;
  const kind = isOwn ? "local" : contains(parseCidr(subnet), parseIp(from)) ? "subnet" : "stranger";
  const link = kind === "subnet" ? linkOfSubnet(actual, subnet, device) : undefined;
  const family = familyOf(ip);
  const sysctls = rpFilterNames(family, link === undefined ? [] : [link.name]);
  const there = await kernel.dump({
    links: [],
    sysctls: [...sysctls, forwardingSysctl[family]],
    linksOnly: true,
  });
  const query = { source: from, ...(link === undefined ? {} : { incoming: link.name }) };
  return {
    address: from,
    kind,
    link: link?.name,
    isDown: link?.up === false,
    isCutOff: !forwards(there, family),
    query,
    lookup: await lookUp(kernel, ip, query),
    rpFilter: rpFilterOf(there, link?.name ?? "all"),
  };
}

/** Linux has no such filter for IPv6. */
function rpFilterNames(family: Family, links: readonly string[]): string[] {
  if (family === 6) return [];
  return [...new Set(["all", ...links])].map(rpFilterName);
}

/** The kernel takes the larger of the two (ip-sysctl.rst). */
function rpFilterOf(objects: readonly KernelObject[], link: string): number {
  const values = objects.map((one) =>
    one.kind === "sysctl" && isOf(one.name, link) ? Number(one.value) || 0 : 0
  );
  return Math.max(0, ...values);
}

function rpFilterName(link: string): string {
  return `net/ipv4/conf/${link}/rp_filter`;
}

function isOf(name: string, link: string): boolean {
  return name === rpFilterName(link) || name === rpFilterName("all");
}

/** Where the answer's inner packet comes in: the tunnel's address or, by a plain route, any of this host's subnet. */
function innerEnd(
  wanted: readonly KernelObject[],
  { actual, view, host: { underlay } }: Observed,
): { destination: string; link: string } | undefined {
  const tunnel = wanted.find((one) => one.kind === "address");
  if (tunnel?.kind === "address") return { destination: ipOf(tunnel), link: tunnel.link };
  const isPlain = wanted.some((one) => one.kind === "route" && one.link === underlay.link);
  const subnet = parseCidr(view.own!.subnet);
  const own = actual.find((one) => one.kind === "address" && contains(subnet, parsePrefix(one.address).ip));
  return isPlain && own?.kind === "address" ? { destination: ipOf(own), link: underlay.link } : undefined;
}

function ipOf({ address }: Address): string {
  return address.split("/")[0]!;
}
