/** The one command that shows whether an object is there, for a person who believes no program. */
import type { KernelObject, Link } from "../state.ts";

/**
 * A command line of iproute2, procps, ethtool or flan; undefined where none shows it. `found` is what stands in the
 * object's place.
 */
export function proofOf(object: KernelObject, found?: KernelObject): string | undefined {
  switch (object.kind) {
    case "link":
      if (isSwitched(object, found)) return `ethtool -k ${object.name}`;
      return `ip -details link show dev ${object.name}`;
    case "address":
      return `ip address show dev ${object.link}`;
    case "nexthop":
      return `ip nexthop show id ${object.id}`;
    case "neighbour":
      return `ip neighbour show ${object.ip} dev ${object.link}`;
    case "fdb":
      return `bridge fdb get ${object.mac} dev ${object.link} self`;
    case "route":
      return `ip route show ${object.destination}`;
    case "wireguard-peer":
      return `wg show ${object.link}`;
    case "xfrm-state":
      return `ip xfrm state get src ${object.source} dst ${object.destination} proto esp spi ${object.spi}`;
    case "xfrm-policy":
      return "ip xfrm policy list";
    case "encap-socket":
      return `ss -ulpn 'sport = :${object.port}'`;
    case "sysctl":
      return `sysctl ${object.name}`;
    case "proxy":
    case "proxy-route":
      return "flan proxy routes";
    case "hook":
      return "flan routes diff";
    default:
      return undefined;
  }
}

/** Whether its checksum offload, which `ip` does not show, is another than wanted. */
function isSwitched({ txChecksum }: Link, found: KernelObject | undefined): boolean {
  return txChecksum !== undefined && found?.kind === "link" && found.txChecksum !== txChecksum;
}
