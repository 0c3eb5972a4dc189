/** Whether a packet of one host arrives at another one, by what stands in both their kernels in memory. */
import { defaultMetric, type KernelObject, proxyLinks } from "../../kernel/state.ts";
import { familyOf } from "../../net/ip.ts";

/** A host as the packet meets it, by one address family. */
export interface Station {
  readonly address: string;
  readonly subnet: string;
  readonly objects: ReadonlyMap<string, KernelObject>;
}

/** By vxlan, wireguard, udp, ipip or host-gw, as the route of the sender says; the reason where it does not arrive. */
export function lostBetween(from: Station, to: Station, network: string): string | undefined {
  const metric = defaultMetric(network);
  const route = found(from, `route ${to.subnet} metric ${metric}`, "route") ??
    found(from, `route ${network} metric ${metric}`, "route");
  if (route === undefined) return "no route";
  const { link: device, gateway } = route;
  if (device === proxyLinks[familyOf(network)]) return lostByProxy(from, to, device);
  if (device === "flan.ipip") return lostByIpip(from, to, { device, gateway });
  if (device.startsWith("flan-wg")) return lostByWireguard(from, to, device);
  if (device.startsWith("flan")) return lostByVxlan(from, to, { device, gateway });
  return gateway === to.address ? undefined : `route by ${gateway}`;
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
