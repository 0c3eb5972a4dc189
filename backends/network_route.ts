/** The route of backends that take the whole network into their device, and leave it to that who has which subnet. */
import { defaultMetric, LAST_METRIC, type Route, ROUTE_PROTOCOL } from "../kernel/state.ts";

/**
 * A packet for a subnet that nobody has ends at the device too, and goes nowhere else: its sender is told at once, and it
 * does not leave in clear.
 */
export function networkRoute(network: string, device: string): Route {
  return {
    kind: "route",
    destination: network,
    metric: defaultMetric(network),
    link: device,
    gateway: "",
    onlink: false,
    nexthop: 0,
    type: "unicast",
    protocol: ROUTE_PROTOCOL,
  };
}

/**
 * While the device of an encrypted network is gone, or this host has no lease, so is its route: then the network's packets
 * end here, and take no other way in clear.
 */
export function barrierFor(network: string): Route {
  return { ...networkRoute(network, ""), metric: LAST_METRIC, type: "unreachable" };
}
