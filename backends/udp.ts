/**
 * The udp data plane: one TUN device, one route for the whole network into it, and a proxy that sends each packet to
 * the host that owns its destination, as one UDP datagram. Interoperates with flannel's udp backend (same leases,
 * same datagrams).
 */
import { udpOverhead } from "../kernel/encapsulation.ts";
import {
  type Address,
  aliasOf,
  keyOf,
  type Link,
  type Proxy,
  type ProxyRoute,
  type Route,
  ROUTE_PROTOCOL,
} from "../kernel/state.ts";
import type { NetworkConfig } from "../lease/network.ts";
import type { View } from "../lease/view.ts";
import { formatCidr } from "../net/ip.ts";
import { invalid } from "../net/errors.ts";
import { memo } from "../net/memo.ts";
import type { Backend, Host, PeerPlan, Plan } from "./backend.ts";
import { overlayMtu, plannedMtu } from "./mtu.ts";
import { deviceAddress, ownSubnet, type Peer } from "./peers.ts";
import { readUdpOptions, type UdpOptions } from "./udp_options.ts";
import { udpPeers } from "./udp_peers.ts";

const DEVICE = "flan0";

/** Packets that wait for the proxy. With the 500 of a new TUN device, a burst of small ones loses many. */
const QUEUE_LENGTH = 4000;

export const udp: Backend = {
  type: "udp",
  needs: ["tun", "proxy"],
  hasMac: false,

  check(config) {
    const { read } = readUdpOptions(config.backendOptions);
    read.requireUsable();
    const [problem] = problemsOf(config);
    if (problem !== undefined) throw invalid("backend.check", `Cannot use backend udp: ${problem}`);
    return read.notes;
  },

  requireHost() {},

  startup() {
    return "";
  },

  devices() {
    return [DEVICE];
  },

  /** flannel's udp leases have neither. */
  announce() {
    return { backendType: "", backendData: undefined };
  },

  mtu(_config, host) {
    return overlayMtu(host, host.underlay.mtu - udpOverhead(4));
  },

  plan,
};

function plan(view: View, host: Host): Plan {
  const { options, read } = readUdpOptions(view.network.backendOptions);
  const own = ownSubnet(view, [...read.problems, ...problemsOf(view.network)]);
  if ("objects" in own) return own;
  const { peers, refused } = udpPeers(view.peers, {
    own,
    host: { publicIp: host.publicIp, address: host.underlay.address },
  });
  const link = linkOf(options, host);
  const address: Address = { kind: "address", link: DEVICE, address: deviceAddress(own) };
  const proxy: Proxy = {
    kind: "proxy",
    link: DEVICE,
    address: host.underlay.address,
    port: options.port,
    subnet: view.own!.subnet,
    source: own.gateway,
    checkSource: options.checkSource,
    queues: options.queues,
    carrying: true,
  };
  const route = routeTo(formatCidr(view.network.network));
  const common = { port: options.port, proxy: keyOf(proxy), route: keyOf(route) };
  const made = peers.map((peer) => objectsOf(peer, common));
  return {
    objects: [link, address, proxy, ...made.map((one) => one.proxyRoute), route],
    peers: made.map((one) => one.plan),
    refused,
  };
}

/** The proxy knows no other packets. */
function problemsOf({ network }: NetworkConfig): readonly string[] {
  return network.family === 4 ? [] : [`network ${formatCidr(network)} is IPv6, and it carries IPv4 only`];
}

/** What all peers share: the port, and the keys of the objects that every one of them needs. */
interface Common {
  readonly port: number;
  readonly proxy: string;
  readonly route: string;
}

/** The same objects for the same peer each time, so that whoever compares plans sees at once what is new. */
const objectsOf = memo(
  makeObjects,
  (a, b) => a.port === b.port && a.proxy === b.proxy && a.route === b.route,
);

function makeObjects(
  { lease }: Peer,
  { port, proxy, route }: Common,
): { proxyRoute: ProxyRoute; plan: PeerPlan } {
  const proxyRoute: ProxyRoute = {
    kind: "proxy-route",
    link: DEVICE,
    destination: lease.subnet,
    remote: lease.publicIp,
    port,
  };
  return { proxyRoute, plan: { lease, way: "udp", keys: [proxy, keyOf(proxyRoute), route] } };
}

/** The whole network, so that the proxy tells senders at once of a destination that nobody has. */
function routeTo(network: string): Route {
  return {
    kind: "route",
    destination: network,
    metric: 0,
    link: DEVICE,
    gateway: "",
    onlink: false,
    nexthop: 0,
    type: "unicast",
    protocol: ROUTE_PROTOCOL,
  };
}

function linkOf({ queues }: UdpOptions, host: Host): Link {
  return {
    kind: "link",
    name: DEVICE,
    type: "tun",
    alias: aliasOf(host.node),
    mac: "",
    mtu: plannedMtu(host, host.underlay.mtu - udpOverhead(4)),
    up: true,
    tun: { multiQueue: queues > 1, queueLength: QUEUE_LENGTH },
  };
}
