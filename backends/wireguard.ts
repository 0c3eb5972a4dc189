/**
 * The wireguard data plane: one WireGuard device with a peer for each host, and one route for the whole network into
 * it, so that no packet of the overlay leaves this host in clear, with a barrier behind it for while the device is gone.
 * A dual-stack network has a device for each family or, as its `Mode` says, one that carries both over one underlay.
 * Interoperates with flannel's wireguard backend (same leases, same packets).
 */
import { wireguardOverhead } from "../kernel/encapsulation.ts";
import { type Address, aliasOf, keyOf, type Link, type WireguardPeer } from "../kernel/state.ts";
import type { NetworkConfig } from "../lease/network.ts";
import { familiesOf, networksOf, viewOf } from "../lease/stack.ts";
import type { View } from "../lease/view.ts";
import { type Family, familyOf, formatCidr } from "../net/ip.ts";
import { memo } from "../net/memo.ts";
import { placeOf } from "../net/place.ts";
import type { Backend, Host, PeerPlan, Plan } from "./backend.ts";
import { dualStack, hostOf } from "./dual.ts";
import { overlayMtu, plannedMtu } from "./mtu.ts";
import { barrierFor, networkRoute } from "./network_route.ts";
import { deviceAddress, ownSubnet } from "./peers.ts";
import { sysctlsOf } from "./sysctls.ts";
import { readWireguardOptions, type WireguardOptions } from "./wireguard_options.ts";
import { type PeersContext, type WireguardPeerLease, wireguardPeers } from "./wireguard_peers.ts";
import { underlaysOf } from "./wireguard_underlay.ts";

const TYPE = "wireguard";
/** By the family of the overlay. The first one is also that of a device for both. */
const DEVICES: Readonly<Record<Family, string>> = { 4: "flan-wg", 6: "flan-wg-v6" };
/** All that there can be on a host, each with a key of its own. */
export const wireguardDevices: readonly string[] = Object.values(DEVICES);

/** One device, for one family or for both. */
const oneDevice: Backend = {
  type: TYPE,
  needs: ["wireguard"],
  hasMac: false,
  hasKey: true,
  encrypts: true,

  check(config) {
    const { read } = readWireguardOptions(config);
    read.requireUsable();
    return read.notes;
  },

  secrets(config) {
    const { presharedKey } = readWireguardOptions(config).options;
    return new Map(presharedKey === undefined ? [] : [[presharedKey.fingerprint, presharedKey.bytes]]);
  },

  /** Not the ports, which leases announce. */
  agreed(config) {
    return { PSK: readWireguardOptions(config).options.presharedKey?.fingerprint ?? "" };
  },

  requireHost() {},

  startup() {
    return "";
  },

  devices(config) {
    return [deviceOf(readWireguardOptions(config).options, config.network.family)];
  },

  announce(config, host) {
    const { listenPorts } = readWireguardOptions(config).options;
    const Port = listenPorts[config.network.family];
    return { backendType: TYPE, backendData: { PublicKey: host.publicKey ?? "", Port } };
  },

  mtu(config, host) {
    return overlayMtu(...roomOf(config, host));
  },

  plan,
};

/** A device for each family of the network. */
const separate = dualStack(oneDevice);

/** In dual stack what a lease announces of each family is told for each of them, however many devices there are. */
export const wireguard: Backend = {
  ...separate,
  check: oneDevice.check,
  mtu: (config, host) => devicesFor(config).mtu(config, host),
  plan: (view, host) => devicesFor(view.network).plan(view, host),
};

function devicesFor(config: NetworkConfig): Backend {
  return readWireguardOptions(config).options.mode === "separate" ? separate : oneDevice;
}

function deviceOf({ mode }: WireguardOptions, family: Family): string {
  return DEVICES[mode === "separate" ? family : 4];
}

function plan(view: View, host: Host): Plan {
  const { options, read } = readWireguardOptions(view.network);
  const networks = networksOf(view.network).map(formatCidr);
  const barriers = networks.map(barrierFor);
  const own = ownSubnet(view, read.problems);
  if ("objects" in own) return view.own === undefined ? { ...own, objects: barriers } : own;
  const { keepalive, presharedKey } = options;
  const families = familiesOf(view.network);
  const device = deviceOf(options, families[0]!);
  const owns = ownedBy(view, host);
  const subnets = families.flatMap((family) => owns[family]?.subnet ?? []);
  const publicKey = host.publicKey ?? "";
  const { peers, refused } = wireguardPeers(view, { publicKey, options, owns });
  const link: Link = {
    kind: "link",
    name: device,
    type: TYPE,
    alias: aliasOf(host.node),
    mac: "",
    mtu: plannedMtu(...roomOf(view.network, host)),
    up: true,
    wireguard: { listenPort: options.listenPorts[families[0]!], publicKey },
  };
  const routes = networks.map((network) => networkRoute(network, device));
  const common = {
    device,
    keepalive,
    presharedKey: presharedKey?.fingerprint ?? "",
    routes: Object.fromEntries(routes.map((route) => [familyOf(route.destination), keyOf(route)])),
    isForBoth: families.length > 1,
  };
  const made = peers.map((peer) => objectsOf(peer, common));
  return {
    objects: [
      ...barriers,
      link,
      ...families.flatMap((family) => sysctlsOf(device, family)),
      ...subnets.map((one): Address => ({ kind: "address", link: device, address: deviceAddress(one) })),
      ...made.flatMap((one) => one.objects),
      ...routes,
    ],
    peers: made.map((one) => one.plan),
    refused,
  };
}

/** What this host has of each family: a subnet, and the addresses that no peer can have. */
function ownedBy(view: View, host: Host): PeersContext["owns"] {
  return Object.fromEntries(
    familiesOf(view.network).flatMap((family) => {
      const subnet = ownSubnet(viewOf(view, family), []);
      const of = hostOf(host, family);
      if ("objects" in subnet || of === undefined) return [];
      return [[family, { subnet, host: { publicIp: of.publicIp, address: of.underlay.address } }]];
    }),
  );
}

/** What all peers share. */
interface Common {
  readonly device: string;
  readonly keepalive: number;
  readonly presharedKey: string;
  /** The keys of the routes that every one of them needs, by the family of which it has a subnet. */
  readonly routes: Readonly<Partial<Record<Family, string>>>;
  readonly isForBoth: boolean;
}

/** The same objects for the same peer each time, so that whoever compares plans sees at once what is new. */
const objectsOf = memo(
  makeObjects,
  (a, b) =>
    a.device === b.device && a.keepalive === b.keepalive && a.presharedKey === b.presharedKey &&
    a.routes[4] === b.routes[4] && a.routes[6] === b.routes[6] && a.isForBoth === b.isForBoth,
);

function makeObjects(
  { lease, ends }: WireguardPeerLease,
  { device, keepalive, presharedKey, routes, isForBoth }: Common,
): { objects: readonly WireguardPeer[]; plan: PeerPlan } {
  const objects = ends.map(({ publicKey, address, port, halves }): WireguardPeer => ({
    kind: "wireguard-peer",
    link: device,
    publicKey,
    endpoint: placeOf({ hostname: address, port }),
    allowedIps: halves.map((half) => half.lease.subnet).sort(),
    keepalive,
    presharedKey,
  }));
  const families = ends.flatMap(({ halves }) => halves.map(({ family }) => family));
  const keys = [...objects.map(keyOf), ...families.flatMap((family) => routes[family] ?? [])];
  const [{ address }, ...others] = ends;
  const remote = isForBoth && others.length === 0 ? { remote: address } : {};
  return { objects, plan: { lease, way: TYPE, keys, ...remote } };
}

/**
 * The host as the overlay's MTU is judged by, and the largest one: what fits every underlay by which peers may be reached.
 * Where the overlay has IPv6, less than that family needs is too little.
 */
function roomOf(config: NetworkConfig, host: Host): [Host, number] {
  const { mode, underlayMtu = Infinity } = readWireguardOptions(config).options;
  const families = familiesOf(config);
  const most = underlaysOf(mode, families).map((family) => {
    const { underlay } = hostOf(host, family) ?? host;
    return Math.min(underlayMtu, underlay.mtu) - wireguardOverhead(family);
  });
  return [hostOf(host, families.at(-1)!) ?? host, Math.min(...most)];
}
