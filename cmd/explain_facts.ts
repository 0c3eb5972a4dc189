/** Gathers what the kernel says of a packet's way, for `flan routes explain`. Changes nothing, and needs no root. */
import type { PeerPlan } from "../backends/backend.ts";
import { linkOfSubnet } from "../kernel/explain_local.ts";
import type { Kernel, RouteQuery } from "../kernel/kernel.ts";
import { linkOf } from "../kernel/relations.ts";
import { type KernelObject, keyOf, type Neighbour } from "../kernel/state.ts";
import type { Lookup, ReturnFacts, SourceFacts, UnderlayFacts, WayFacts } from "../kernel/way.ts";
import { KernelError } from "../net/errors.ts";
import { contains, formatIp, parseCidr, parseIp, parsePrefix } from "../net/ip.ts";
import type { Observed } from "./observe.ts";

/** Everything about a packet to `ip` in the peer's subnet. */
export async function wayFacts(
  kernel: Kernel,
  { observed, ip, peer, from }: {
    observed: Observed;
    ip: string;
    peer: PeerPlan;
    from: string | undefined;
  },
): Promise<WayFacts> {
  const { plan, drift, host: { underlay } } = observed;
  const wanted = wantedFor(plan.objects, peer, ip);
  const remote = peer.lease.publicIp;
  const bound = wanted.some((one) => one.kind === "link" && one.vxlan?.parent === underlay.link);
  const path = await lookUp(kernel, remote, bound ? { outgoing: underlay.link } : {});
  const source = from === undefined ? undefined : await sourceOf(kernel, { observed, ip, from });
  const returns = await returnsOf(kernel, { wanted, ip, remote, host: observed.host });
  const next = path.match?.route.gateway || remote;
  // No plan needs the underlay's neighbours and filters, so they were not read before.
  const filters = new Set([
    "all",
    ...returns.map(({ link }) => link),
    ...(source?.link ? [source.link] : []),
  ]);
  const sysctls = [...filters].map(rpFilterName);
  const more = await kernel.dump({ links: [underlay.link], sysctls });
  const rpFilter = (link: string) =>
    // The kernel takes the larger of the two (ip-sysctl.rst).
    Math.max(
      0,
      ...more.map((one) => one.kind === "sysctl" && isOf(one.name, link) ? Number(one.value) || 0 : 0),
    );
  const facts: UnderlayFacts = {
    remote,
    link: underlay.link,
    bound,
    lookup: path,
    mtu: await knownMtu(kernel, remote),
    neighbour: more.find((one): one is Neighbour =>
      one.kind === "neighbour" && one.ip === next && one.link === path.match?.route.link
    ),
  };
  return {
    ip,
    wanted,
    ...drift,
    actual: observed.actual,
    lookup: await lookUp(kernel, ip),
    mtu: await knownMtu(kernel, ip),
    source: source && { ...source, rpFilter: rpFilter(source.link ?? "all") },
    underlay: facts,
    returns: returns.map((one) => ({ ...one, rpFilter: rpFilter(one.link) })),
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

/** The path MTU that the kernel knows for a destination, or 0. */
async function knownMtu(kernel: Kernel, destination: string): Promise<number> {
  try {
    return (await kernel.routeGet(destination)).mtu;
  } catch (error) {
    if (error instanceof KernelError) return 0;
    throw error;
  }
}

async function returnsOf(
  kernel: Kernel,
  { wanted, ip, remote, host: { underlay } }: {
    wanted: readonly KernelObject[];
    ip: string;
    remote: string;
    host: Observed["host"];
  },
): Promise<Omit<ReturnFacts, "rpFilter">[]> {
  const outer = { source: remote, destination: underlay.address, link: underlay.link };
  const address = wanted.find((one) => one.kind === "address");
  const inner = address?.kind === "address"
    ? [{ source: ip, destination: address.address.split("/")[0]!, link: address.link }]
    : [];
  return await Promise.all([outer, ...inner].map(async (way) => ({
    ...way,
    lookup: await lookUp(kernel, way.destination, { source: way.source, incoming: way.link }),
  })));
}

/** What is known of the packet's source, and what decides about a packet from there. */
async function sourceOf(
  kernel: Kernel,
  { observed: { actual, view, device }, ip, from }: { observed: Observed; ip: string; from: string },
): Promise<Omit<SourceFacts, "rpFilter">> {
  const isOwn = actual.some((one) =>
    one.kind === "address" && formatIp(parsePrefix(one.address).ip) === from
  );
  const subnet = view.own!.subnet;
  const kind = isOwn ? "local" : contains(parseCidr(subnet), parseIp(from)) ? "subnet" : "stranger";
  const link = kind === "subnet" ? linkOfSubnet(actual, subnet, device) : undefined;
  const query = { source: from, ...(link === undefined ? {} : { incoming: link.name }) };
  return {
    address: from,
    kind,
    link: link?.name,
    query,
    lookup: await lookUp(kernel, ip, query),
  };
}

function rpFilterName(link: string): string {
  return `net/ipv4/conf/${link}/rp_filter`;
}

function isOf(name: string, link: string): boolean {
  return name === rpFilterName(link) || name === rpFilterName("all");
}
