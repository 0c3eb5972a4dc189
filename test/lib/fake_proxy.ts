/** What a proxy answers that `proxy/proxied_kernel.ts` tells what to do, from the network stack it runs in. */
import { proxyOf } from "../../kernel/relations.ts";
import type { KernelObject, Proxy, ProxyRoute } from "../../kernel/state.ts";

/**
 * The errno name with which it refuses, or undefined. Its routes are the process's: they come and stay with or without
 * the link. Carrying needs a TUN queue and a socket.
 */
export function refuseProxys(
  object: Proxy | ProxyRoute,
  objects: ReadonlyMap<string, KernelObject>,
): string | undefined {
  if (object.kind === "proxy-route") return objects.has(proxyOf(object)) ? undefined : "ENOTCONN";
  const link = objects.get(`link ${object.link}`);
  if (link?.kind !== "link") return "ENODEV";
  if (!link.tun || link.tun.multiQueue !== object.queues > 1) return "EINVAL";
  for (const other of objects.values()) {
    if (other.kind === "address" && other.address.split("/")[0] === object.address) return undefined;
  }
  return "EADDRNOTAVAIL";
}
