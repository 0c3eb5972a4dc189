/** The route of backends that take the whole network into their device, and leave it to that who has which subnet. */
import { defaultMetric, type Route, ROUTE_PROTOCOL } from "../kernel/state.ts";

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
