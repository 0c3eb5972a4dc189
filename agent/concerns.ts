/** Which kernel events concern this host's network, and what has to be looked at again for them. Pure. */
import { type Cidr, contains, familyOf, parsePrefix } from "../net/ip.ts";
import type { KernelEvent } from "../kernel/kernel.ts";
import { ROUTE_PROTOCOL } from "../kernel/state.ts";

export interface Scope {
  /** The names of our devices. */
  readonly devices: readonly string[];
  /** The link that carries the tunnel. */
  readonly underlay: string;
  /** One for each address family. */
  readonly networks: readonly Cidr[];
  /** Whether something is missing or in the way, so that any link or address that comes or goes may be the one. */
  readonly searching: boolean;
}

/** The default route may decide which link carries the tunnel. */
const DEFAULT_ROUTES: readonly (string | undefined)[] = ["0.0.0.0/0", "::/0"];

/**
 * `wanted`: the kernel asks for a neighbour on our device. `host`: the facts about this host may have changed.
 * `kernel`: our objects may have. Undefined: none of our business, as most events on a busy host are.
 */
export function reasonOf(event: KernelEvent, scope: Scope): "wanted" | "host" | "kernel" | undefined {
  const isOurs = (link: string | undefined) => link !== undefined && scope.devices.includes(link);
  const onDevice = isOurs(event.link);
  switch (event.group) {
    case "overrun":
    case "firewall": // Which chains drop is a fact about the host, and
    case "ipsec": // so is the nonce, which goes with the states.
      return "host";
    case "link":
    case "address":
      return onDevice || isOurs(event.former) || event.link === undefined ||
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
      return onDevice || event.protocol === ROUTE_PROTOCOL || inside(scope.networks, event.subject)
        ? "kernel"
        : undefined;
  }
}

/** Those over the underlay decide whether and how peers are reached, and so do those that name no link and refuse. */
function isWayOut({ subject, link, protocol }: KernelEvent, { underlay, networks }: Scope): boolean {
  if (subject !== undefined && DEFAULT_ROUTES.includes(subject)) return true;
  if (protocol === ROUTE_PROTOCOL || !isCarried(networks, subject)) return false;
  return link === underlay || link === undefined && !inside(networks, subject);
}

/** Whether the network has the family of the route; a route without a subject is of every one. */
function isCarried(networks: readonly Cidr[], subject: string | undefined): boolean {
  return subject === undefined || networks.some(({ family }) => family === familyOf(subject));
}

function inside(networks: readonly Cidr[], subject: string | undefined): boolean {
  if (subject === undefined) return false;
  const { ip } = parsePrefix(subject);
  return networks.some((network) => contains(network, ip));
}
