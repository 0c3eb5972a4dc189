/** Whether a packet of one host arrives at another one, by what stands in both their kernels in memory. */
import type { KernelObject } from "../../kernel/state.ts";

/** A host as the packet meets it. */
export interface Station {
  readonly address: string;
  readonly subnet: string;
  readonly objects: ReadonlyMap<string, KernelObject>;
}

/** By vxlan, udp or host-gw, as the route of the sender says; the reason where it does not arrive. */
export function lostBetween(from: Station, to: Station, network: string): string | undefined {
  const route = found(from, `route ${to.subnet} metric 0`, "route") ??
    found(from, `route ${network} metric 0`, "route");
  if (route === undefined) return "no route";
  if (route.link === "flan0") return lostByProxy(from, to);
  if (route.link.startsWith("flan.")) {
    return lostByVxlan(from, to, { device: route.link, gateway: route.gateway });
  }
  return route.gateway === to.address ? undefined : `route by ${route.gateway}`;
}

function lostByVxlan(from: Station, to: Station, { device, gateway }: { device: string; gateway: string }) {
  if (found(from, `link ${device}`, "link") === undefined) return `no ${device} here`;
  const mac = found(from, `neighbour ${gateway} dev ${device}`, "neighbour")?.mac ?? "nobody";
  const remote = found(from, `fdb ${mac} dev ${device}`, "fdb")?.remote;
  if (remote !== to.address) return `FDB entry to ${remote}`;
  const there = found(to, `link ${device}`, "link");
  return there?.up && there.mac === mac ? undefined : `no ${device} with ${mac} there`;
}

function lostByProxy(from: Station, to: Station): string | undefined {
  if (found(from, "proxy flan0", "proxy") === undefined) return "no proxy here";
  if (found(from, `proxy route ${to.subnet} dev flan0`, "proxy-route")?.remote !== to.address) {
    return "no proxy route";
  }
  if (found(to, "proxy flan0", "proxy") === undefined) return "no proxy there";
  const source = found(to, `proxy route ${from.subnet} dev flan0`, "proxy-route")?.remote;
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
