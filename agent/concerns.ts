/** Which kernel events concern this host's network, and what has to be looked at again for them. Pure. */
import { type Cidr, contains, parsePrefix } from "../net/ip.ts";
import type { KernelEvent } from "../kernel/kernel.ts";
import { ROUTE_PROTOCOL } from "../kernel/state.ts";

export interface Scope {
  /** Our device, "" where there is none. */
  readonly device: string;
  /** The link that carries the tunnel. */
  readonly underlay: string;
  readonly network: Cidr;
  /** Whether something is missing or in the way, so that any link or address that comes or goes may be the one. */
  readonly searching: boolean;
}

/** The default route may decide which link carries the tunnel. */
const DEFAULT_ROUTE = "0.0.0.0/0";

/**
 * `wanted`: the kernel asks for a neighbour on our device. `host`: the facts about this host may have changed.
 * `kernel`: our objects may have. Undefined: none of our business, as most events on a busy host are.
 */
export function reasonOf(event: KernelEvent, scope: Scope): "wanted" | "host" | "kernel" | undefined {
  const onDevice = event.link === scope.device;
  switch (event.group) {
    case "overrun":
    case "firewall": // Which chains drop is a fact about the host.
      return "host";
    case "link":
    case "address":
      return onDevice || event.former === scope.device || event.link === undefined ||
          event.link === scope.underlay || event.former === scope.underlay || scope.searching
        ? "host"
        : undefined;
    case "proxy":
      return "kernel";
    case "nexthop":
      return onDevice || event.protocol === ROUTE_PROTOCOL ? "kernel" : undefined;
    case "neighbour":
      if (!onDevice) return undefined;
      if (event.action === "wanted") return "wanted";
      // The kernel ages entries by itself; what others do to them, and every removal, concerns us.
      return event.action === "delete" || event.port !== 0 ? "kernel" : undefined;
    case "route":
      if (isWayOut(event, scope)) return "host";
      return onDevice || event.protocol === ROUTE_PROTOCOL || inside(scope.network, event.subject)
        ? "kernel"
        : undefined;
  }
}

/** Those over the underlay decide whether and how peers are reached, and so do those that name no link and refuse. */
function isWayOut({ subject, link, protocol }: KernelEvent, { underlay, network }: Scope): boolean {
  if (subject === DEFAULT_ROUTE) return true;
  if (protocol === ROUTE_PROTOCOL || subject?.includes(":")) return false;
  return link === underlay || link === undefined && !inside(network, subject);
}

function inside(network: Cidr, subject: string | undefined): boolean {
  return subject !== undefined && contains(network, parsePrefix(subject).ip);
}
