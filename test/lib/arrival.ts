/** Whether a packet of one host arrives at another one, by what stands in both their kernels in memory. */
import { defaultMetric, type KernelObject, keyOf, proxyLinks, type Route } from "../../kernel/state.ts";
import type { XfrmPolicy, XfrmState } from "../../kernel/xfrm.ts";
import { covers, familyOf, parseCidr } from "../../net/ip.ts";

/** A host as the packet meets it, by one address family. */
export interface Station {
  readonly address: string;
  readonly subnet: string;
  readonly objects: ReadonlyMap<string, KernelObject>;
  /** What of it is IPsec's, where the host can have that. */
  readonly xfrms?: ReadonlyMap<string, XfrmState | XfrmPolicy>;
}

/** By any backend that carries packets, as the route of the sender says; the reason where it does not arrive. */
export function lostBetween(from: Station, to: Station, network: string): string | undefined {
  const route = routeBetween(from, to, network);
  if (route === undefined) return "no route";
  const { link: device, gateway } = route;
  if (device === "flan.ipsec") return lostByIpsec(from, to);
  if (isKeptOut(from, to)) return "the guards there keep it out";
  if (device === proxyLinks[familyOf(network)]) return lostByProxy(from, to, device);
  if (device === "flan.ipip") return lostByIpip(from, to, { device, gateway });
  if (device.startsWith("flan-wg")) return lostByWireguard(from, to, device);
  if (device.startsWith("flan")) return lostByVxlan(from, to, { device, gateway });
  return gateway === to.address ? undefined : `route by ${gateway}`;
}

/** Whether somebody on the way could read it. */
export function isInClear(from: Station, to: Station, network: string): boolean {
  const route = routeBetween(from, to, network);
  return route !== undefined && !/^flan(-wg|\.ipsec)/.test(route.link);
}

function routeBetween(from: Station, to: Station, network: string): Route | undefined {
  const metric = defaultMetric(network);
  return found(from, `route ${to.subnet} metric ${metric}`, "route") ??
    found(from, `route ${network} metric ${metric}`, "route");
}

/** By the state that the sender has for the way there, whose key the other one has too. */
function lostByIpsec(from: Station, to: Station): string | undefined {
  const [mine, theirs] = [from, to].map(({ xfrms = new Map() }) => [...xfrms.values()]);
  if (!found(from, "link flan.ipsec", "link")?.up) return "no flan.ipsec here";
  const isWay = (one: XfrmState | XfrmPolicy, direction: string) =>
    one.kind === "xfrm-policy" && one.action === "tunnel" && one.direction === direction &&
    one.source === from.subnet && one.destination === to.subnet;
  if (!mine!.some((one) => isWay(one, "out"))) return "no policy here";
  const sent = mine!.find((one) => one.kind === "xfrm-state" && one.destination === to.address);
  if (sent === undefined) return "no state here";
  if (!found(to, "link flan.ipsec", "link")?.up) return "no flan.ipsec there";
  const taken = to.xfrms!.get(keyOf(sent));
  if (taken?.kind !== "xfrm-state" || taken.key !== sent.key) return "no state for it there";
  return theirs!.some((one) => isWay(one, "in")) ? undefined : "no policy there";
}

/** Whether what comes by another way than ESP is dropped. */
function isKeptOut(from: Station, to: Station): boolean {
  const rules = [...to.xfrms?.values() ?? []].filter((one): one is XfrmPolicy =>
    one.kind === "xfrm-policy" && one.interfaceId === 0
  );
  const about = rules.filter(({ source, destination }) =>
    destination === to.subnet && covers(parseCidr(source), parseCidr(from.subnet))
  );
  return (["in", "fwd"] as const).some((direction) => {
    const [first] = about.filter((one) => one.direction === direction).sort((a, b) =>
      a.priority - b.priority
    );
    return first?.action === "block";
  });
}

function lostByVxlan(from: Station, to: Station, { device, gateway }: { device: string; gateway: string }) {
  if (found(from, `link ${device}`, "link") === undefined) return `no ${device} here`;
  const mac = found(from, `neighbour ${gateway} dev ${device}`, "neighbour")?.mac ?? "nobody";
  const remote = found(from, `fdb ${mac} dev ${device}`, "fdb")?.remote;
  if (remote !== to.address) return `FDB entry to ${remote}`;
  const there = found(to, `link ${device}`, "link");
  return there?.up && there.mac === mac ? undefined : `no ${device} with ${mac} there`;
}

/** The gateway says to whom the outer packet goes. */
function lostByIpip(from: Station, to: Station, { device, gateway }: { device: string; gateway: string }) {
  if (!found(from, `link ${device}`, "link")?.up) return `no ${device} here`;
  if (gateway !== to.address) return `to ${gateway}`;
  const there = found(to, `link ${device}`, "link");
  return there?.up && there.ipip?.local === to.address ? undefined : `no ${device} there`;
}

/** Both must know each other by the subnet: whoever has no key for a host takes nothing from it. */
function lostByWireguard(from: Station, to: Station, device: string): string | undefined {
  for (const [one, other] of [[from, to], [to, from]] as const) {
    const peers = [...one.objects.values()].filter((object) => object.kind === "wireguard-peer");
    const peer = peers.find(({ link, allowedIps }) => link === device && allowedIps.includes(other.subnet));
    const key = found(other, `link ${device}`, "link")?.wireguard?.publicKey;
    if (peer === undefined || peer.publicKey !== key) return `no peer on ${device} for ${other.subnet}`;
  }
  return undefined;
}

function lostByProxy(from: Station, to: Station, device: string): string | undefined {
  if (found(from, `proxy ${device}`, "proxy") === undefined) return "no proxy here";
  if (found(from, `proxy route ${to.subnet} dev ${device}`, "proxy-route")?.remote !== to.address) {
    return "no proxy route";
  }
  if (found(to, `proxy ${device}`, "proxy") === undefined) return "no proxy there";
  const source = found(to, `proxy route ${from.subnet} dev ${device}`, "proxy-route")?.remote;
  return source === from.address ? undefined : "the source is not known there";
}

function found<K extends KernelObject["kind"]>(
  { objects }: Station,
  key: string,
  kind: K,
): Extract<KernelObject, { kind: K }> | undefined {
  const object = objects.get(key);
  return object?.kind === kind ? object as Extract<KernelObject, { kind: K }> : undefined;
}
