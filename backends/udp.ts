/**
 * The udp data plane: one TUN device, one route for the whole network into it, and a proxy that sends each packet to
 * the host that owns its destination, as one UDP datagram. Interoperates with flannel's udp backend (same leases,
 * same datagrams), which has no IPv6: that is carried likewise, by a device and a proxy of its own.
 */
import { udpOverhead } from "../kernel/encapsulation.ts";
import {
  type Address,
  aliasOf,
  keyOf,
  type Link,
  type Proxy,
  proxyLinks,
  type ProxyRoute,
} from "../kernel/state.ts";
import type { View } from "../lease/view.ts";
import { familyOf, formatCidr } from "../net/ip.ts";
import { memo } from "../net/memo.ts";
import type { Backend, Host, PeerPlan, Plan } from "./backend.ts";
import { overlayMtu, plannedMtu } from "./mtu.ts";
import { networkRoute } from "./network_route.ts";
import { deviceAddress, ownSubnet, type Peer } from "./peers.ts";
import { readUdpOptions, type UdpOptions } from "./udp_options.ts";
import { udpPeers } from "./udp_peers.ts";

/** Packets that wait for the proxy. With the 500 of a new TUN device, a burst of small ones loses many. */
const QUEUE_LENGTH = 4000;

export const udp: Backend = {
  type: "udp",
  needs: ["tun", "proxy"],
  hasMac: false,

  check(config) {
    const { read } = readUdpOptions(config.backendOptions);
    read.requireUsable();
    return read.notes;
  },

  agreed(config) {
    return { Port: readUdpOptions(config.backendOptions).options.port };
  },

  requireHost() {},

  startup() {
    return "";
  },

  devices(config) {
    return [proxyLinks[config.network.family]];
  },

  /** flannel's udp leases have neither. */
  announce() {
    return { backendType: "", backendData: undefined };
  },

  mtu(_config, host) {
    return overlayMtu(host, largestMtu(host));
  },

  plan,
};

function plan(view: View, host: Host): Plan {
  const { options, read } = readUdpOptions(view.network.backendOptions);
  const own = ownSubnet(view, read.problems);
  if ("objects" in own) return own;
  const { peers, refused } = udpPeers(view.peers, {
    own,
    host: { publicIp: host.publicIp, address: host.underlay.address },
  });
  const device = proxyLinks[own.family];
  const link = linkOf(options, { device, host });
  const address: Address = { kind: "address", link: device, address: deviceAddress(own) };
  const proxy: Proxy = {
    kind: "proxy",
    link: device,
    address: host.underlay.address,
    port: options.port,
    subnet: view.own!.subnet,
    source: own.gateway,
    checkSource: options.checkSource,
    queues: options.queues,
    carrying: true,
  };
  const route = networkRoute(formatCidr(view.network.network), device);
  const common = { device, port: options.port, proxy: keyOf(proxy), route: keyOf(route) };
  const made = peers.map((peer) => objectsOf(peer, common));
  return {
    objects: [link, address, proxy, ...made.map((one) => one.proxyRoute), route],
    peers: made.map((one) => one.plan),
    refused,
  };
}

/** What fits the underlay, which is of the overlay's family. */
function largestMtu({ underlay }: Host): number {
  return underlay.mtu - udpOverhead(familyOf(underlay.address));
}

/** What all peers share: the device and the port, and the keys of the objects that every one of them needs. */
interface Common {
  readonly device: string;
  readonly port: number;
  readonly proxy: string;
  readonly route: string;
}

/** The same objects for the same peer each time, so that whoever compares plans sees at once what is new. */
const objectsOf = memo(
  makeObjects,
  (a, b) => a.device === b.device && a.port === b.port && a.proxy === b.proxy && a.route === b.route,
);

function makeObjects(
  { lease }: Peer,
  { device, port, proxy, route }: Common,
): { proxyRoute: ProxyRoute; plan: PeerPlan } {
  const proxyRoute: ProxyRoute = {
    kind: "proxy-route",
    link: device,
    destination: lease.subnet,
    remote: lease.publicIp,
    port,
  };
  return { proxyRoute, plan: { lease, way: "udp", keys: [proxy, keyOf(proxyRoute), route] } };
}

function linkOf({ queues }: UdpOptions, { device, host }: { device: string; host: Host }): Link {
  return {
    kind: "link",
    name: device,
    type: "tun",
    alias: aliasOf(host.node),
    mac: "",
    mtu: plannedMtu(host, largestMtu(host)),
    up: true,
    tun: { multiQueue: queues > 1, queueLength: QUEUE_LENGTH },
  };
}
