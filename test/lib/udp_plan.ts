/** What a host of the udp backend wants, by hand: the kernel's part is tested without the backend. */
import { aliasOf, type KernelObject, type Link, type Proxy, ROUTE_PROTOCOL } from "../../kernel/state.ts";
import type { Owner } from "../../kernel/ownership.ts";
import { NODE } from "./overlay.ts";

export const udpOwner: Owner = { alias: aliasOf(NODE), links: ["flan0"], network: "10.5.0.0/16" };

export const tun: Link = {
  kind: "link",
  name: "flan0",
  type: "tun",
  alias: aliasOf(NODE),
  mac: "",
  mtu: 1472,
  up: true,
  tun: { multiQueue: false, queueLength: 1000 },
};

export const proxy: Proxy = {
  kind: "proxy",
  link: "flan0",
  address: "192.0.2.1",
  port: 8285,
  subnet: "10.5.1.0/24",
  source: "10.5.1.0",
  checkSource: true,
  queues: 1,
  carrying: true,
};

const proxyRoutes = new Map<number, KernelObject>();

/** The proxy's route to host `n`, 1 to 255; host `n + 1000` is host `n` at another address. The same object each time. */
export function proxyRoute(n: number): KernelObject {
  const known = proxyRoutes.get(n);
  if (known !== undefined) return known;
  const host = n % 1000;
  const route: KernelObject = {
    kind: "proxy-route",
    link: "flan0",
    destination: `10.5.${host}.0/24`,
    remote: `192.0.2.${n < 1000 ? host : 255 - host}`,
    port: 8285,
  };
  proxyRoutes.set(n, route);
  return route;
}

export const tunRoute: KernelObject = {
  kind: "route",
  destination: "10.5.0.0/16",
  metric: 0,
  link: "flan0",
  gateway: "",
  onlink: false,
  nexthop: 0,
  type: "unicast",
  protocol: ROUTE_PROTOCOL,
};

const address: KernelObject = { kind: "address", link: "flan0", address: "10.5.1.0/32" };

/** The objects that host 1 wants for these peers, in the order in which they are made. */
export function udpPlanned(
  peers: readonly number[],
  change: { link?: Partial<Link>; proxy?: Partial<Proxy> } = {},
): readonly KernelObject[] {
  return [
    { ...tun, ...change.link },
    address,
    { ...proxy, ...change.proxy },
    ...peers.map(proxyRoute),
    tunRoute,
  ];
}
