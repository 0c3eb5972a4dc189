/**
 * The wireguard data plane: one WireGuard device with a peer for each host, and one route for the whole network into
 * it, so that no packet of the overlay leaves this host in clear, with a barrier behind it for while the device is gone. Interoperates with flannel's wireguard backend (same
 * leases, same packets).
 */
import { wireguardOverhead } from "../kernel/encapsulation.ts";
import {
  type Address,
  aliasOf,
  keyOf,
  LAST_METRIC,
  type Link,
  type Route,
  type WireguardPeer,
} from "../kernel/state.ts";
import type { View } from "../lease/view.ts";
import { type Family, familyOf, formatCidr } from "../net/ip.ts";
import { memo } from "../net/memo.ts";
import { placeOf } from "../net/place.ts";
import type { Backend, Host, PeerPlan, Plan } from "./backend.ts";
import { sysctlsOf } from "./sysctls.ts";
import { overlayMtu, plannedMtu } from "./mtu.ts";
import { networkRoute } from "./network_route.ts";
import { deviceAddress, ownSubnet } from "./peers.ts";
import { readWireguardOptions, type WireguardOptions } from "./wireguard_options.ts";
import { type WireguardPeerLease, wireguardPeers } from "./wireguard_peers.ts";

const TYPE = "wireguard";
/** By the family of the overlay. */
const DEVICES: Readonly<Record<Family, string>> = { 4: "flan-wg", 6: "flan-wg-v6" };

export const wireguard: Backend = {
  type: TYPE,
  needs: ["wireguard"],
  hasMac: false,
  hasKey: true,
  encrypts: true,

  check(config) {
    const { read } = readWireguardOptions(config.backendOptions);
    read.requireUsable();
    return read.notes;
  },

  secrets(config) {
    const { presharedKey } = readWireguardOptions(config.backendOptions).options;
    return new Map(presharedKey === undefined ? [] : [[presharedKey.fingerprint, presharedKey.bytes]]);
  },

  requireHost() {},

  startup() {
    return "";
  },

  devices({ network }) {
    return [DEVICES[network.family]];
  },

  announce(config, host) {
    const { listenPorts } = readWireguardOptions(config.backendOptions).options;
    const Port = listenPorts[config.network.family];
    return { backendType: TYPE, backendData: { PublicKey: host.publicKey ?? "", Port } };
  },

  mtu(config, host) {
    return overlayMtu(host, largestMtu(readWireguardOptions(config.backendOptions).options, host));
  },

  plan,
};

function plan(view: View, host: Host): Plan {
  const { options, read } = readWireguardOptions(view.network.backendOptions);
  const own = ownSubnet(view, read.problems);
  if ("objects" in own) return own;
  const { keepalive, presharedKey } = options;
  const { family } = view.network.network;
  const [device, listenPort] = [DEVICES[family], options.listenPorts[family]];
  const publicKey = host.publicKey ?? "";
  const { peers, refused } = wireguardPeers(view.peers, {
    own,
    publicKey,
    host: { publicIp: host.publicIp, address: host.underlay.address },
    port: listenPort,
  });
  const link: Link = {
    kind: "link",
    name: device,
    type: TYPE,
    alias: aliasOf(host.node),
    mac: "",
    mtu: plannedMtu(host, largestMtu(options, host)),
    up: true,
    wireguard: { listenPort, publicKey },
  };
  const address: Address = { kind: "address", link: device, address: deviceAddress(own) };
  const network = formatCidr(view.network.network);
  const route = networkRoute(network, device);
  const common = { device, keepalive, presharedKey: presharedKey?.fingerprint ?? "", route: keyOf(route) };
  const made = peers.map((peer) => objectsOf(peer, common));
  return {
    objects: [
      barrierFor(network),
      link,
      ...sysctlsOf(device, family),
      address,
      ...made.map((one) => one.object),
      route,
    ],
    peers: made.map((one) => one.plan),
    refused,
  };
}

/** What all peers share. */
interface Common {
  readonly device: string;
  readonly keepalive: number;
  readonly presharedKey: string;
  /** The key of the route that every one of them needs. */
  readonly route: string;
}

/** The same objects for the same peer each time, so that whoever compares plans sees at once what is new. */
const objectsOf = memo(
  makeObjects,
  (a, b) =>
    a.device === b.device && a.keepalive === b.keepalive && a.presharedKey === b.presharedKey &&
    a.route === b.route,
);

function makeObjects(
  { lease, publicKey, port }: WireguardPeerLease,
  { device, keepalive, presharedKey, route }: Common,
): { object: WireguardPeer; plan: PeerPlan } {
  const object: WireguardPeer = {
    kind: "wireguard-peer",
    link: device,
    publicKey,
    endpoint: placeOf({ hostname: lease.publicIp, port }),
    allowedIps: [lease.subnet],
    keepalive,
    presharedKey,
  };
  return { object, plan: { lease, way: TYPE, keys: [keyOf(object), route] } };
}

/** While the device is gone, its route is too: then the network's packets end here, and take no other way in clear. */
function barrierFor(network: string): Route {
  return { ...networkRoute(network, ""), metric: LAST_METRIC, type: "unreachable" };
}

function largestMtu({ underlayMtu }: WireguardOptions, { underlay }: Host): number {
  return Math.min(underlayMtu ?? underlay.mtu, underlay.mtu) - wireguardOverhead(familyOf(underlay.address));
}
