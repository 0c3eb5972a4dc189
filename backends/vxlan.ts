/**
 * The vxlan data plane: one VXLAN device, and for each peer a route, a neighbour and an FDB entry, so that no
 * ARP and no flooding is needed. Interoperates with flannel's vxlan backend (same lease data, same frames).
 */
import { VXLAN_OVERHEAD } from "../kernel/encapsulation.ts";
import {
  type Address,
  aliasOf,
  type FdbEntry,
  type KernelObject,
  keyOf,
  type Link,
  type Neighbour,
  type Nexthop,
  type Route,
  ROUTE_PROTOCOL,
} from "../kernel/state.ts";
import type { Refusal } from "../lease/lease.ts";
import type { View } from "../lease/view.ts";
import { memo } from "../net/memo.ts";
import type { Backend, Host, PeerPlan, Plan } from "./backend.ts";
import { overlayMtu, plannedMtu } from "./mtu.ts";
import { ownSubnet } from "./peers.ts";
import { planDirect } from "./vxlan_direct.ts";
import { planOnDemand } from "./vxlan_on_demand.ts";
import { readVxlanOptions, type VxlanOptions, vxlanOptions } from "./vxlan_options.ts";
import { type VxlanPeer, vxlanPeers } from "./vxlan_peers.ts";

export const vxlan: Backend = {
  type: "vxlan",
  needs: ["vxlan"],
  hasMac: true,

  check(config) {
    const { read } = readVxlanOptions(config.backendOptions);
    read.requireUsable();
    return read.notes;
  },

  requireHost() {},

  startup() {
    return "";
  },

  device(config) {
    return deviceOf(vxlanOptions(config.backendOptions));
  },

  announce(config, host) {
    const { vni } = vxlanOptions(config.backendOptions);
    return { backendType: "vxlan", backendData: { VNI: vni, VtepMAC: host.mac } };
  },

  mtu(config, host) {
    return overlayMtu(host, largestMtu(vxlanOptions(config.backendOptions), host));
  },

  plan,
};

function plan(view: View, host: Host): Plan {
  const { options, read } = readVxlanOptions(view.network.backendOptions);
  const own = ownSubnet(view, read.problems);
  if ("objects" in own) return own;
  const { peers, refused } = vxlanPeers(view.peers, {
    own,
    mac: host.mac,
    host: { publicIp: host.publicIp, address: host.underlay.address },
    vni: options.vni,
  });
  const link = linkOf(options, host);
  const address: Address = { kind: "address", link: link.name, address: `${own.gateway}/32` };
  const tunnel = (distant: readonly VxlanPeer[]) =>
    options.onDemand
      ? planOnDemand(distant, { link, address, refused, network: view.network.network, wanted: host.wanted })
      : planAll(distant, { link, address, refused });
  return options.directRouting ? planDirect(peers, { underlay: host.underlay, tunnel }) : tunnel(peers);
}

/** Every peer at once. Three objects of a peer share its nexthop, whose id is the subnet's address. */
function planAll(
  peers: readonly VxlanPeer[],
  base: { link: Link; address: Address; refused: readonly Refusal[] },
): Plan {
  const device = base.link.name;
  const nexthops: Nexthop[] = [];
  const fdb: FdbEntry[] = [];
  const neighbours: Neighbour[] = [];
  const routes: Route[] = [];
  const plans: PeerPlan[] = [];
  for (const peer of peers) {
    const made = objectsOf(peer, device);
    nexthops.push(made.nexthop);
    fdb.push(made.entry);
    neighbours.push(made.neighbour);
    routes.push(made.route);
    plans.push(made.plan);
  }
  const objects: KernelObject[] = [base.link, base.address, ...nexthops, ...fdb, ...neighbours, ...routes];
  return { objects, peers: plans, refused: base.refused };
}

/** The same objects for the same peer each time, so that whoever compares plans sees at once what is new. */
const objectsOf = memo(makeObjects);

function makeObjects({ lease, id, gateway, mac }: VxlanPeer, device: string) {
  // Nexthop objects, because distinct onlink gateways on one device cost the kernel quadratic time.
  const nexthop: Nexthop = {
    kind: "nexthop",
    id,
    gateway,
    link: device,
    onlink: true,
    protocol: ROUTE_PROTOCOL,
  };
  const entry: FdbEntry = { kind: "fdb", link: device, mac, remote: lease.publicIp };
  const neighbour: Neighbour = {
    kind: "neighbour",
    link: device,
    ip: gateway,
    mac,
    state: "permanent",
    protocol: ROUTE_PROTOCOL,
  };
  const route: Route = {
    kind: "route",
    destination: lease.subnet,
    metric: 0,
    link: device,
    gateway,
    onlink: true,
    nexthop: id,
    type: "unicast",
    protocol: ROUTE_PROTOCOL,
  };
  const plan: PeerPlan = { lease, way: "vxlan", keys: [nexthop, entry, neighbour, route].map(keyOf) };
  return { nexthop, entry, neighbour, route, plan };
}

function linkOf(options: VxlanOptions, host: Host): Link {
  return {
    kind: "link",
    name: deviceOf(options),
    type: "vxlan",
    alias: aliasOf(host.node),
    mac: host.mac,
    mtu: plannedMtu(host, largestMtu(options, host)),
    up: true,
    ...(host.txChecksum === undefined ? {} : { txChecksum: host.txChecksum }),
    vxlan: {
      vni: options.vni,
      port: options.port,
      local: host.underlay.address,
      parent: host.underlay.link,
      learning: options.learning,
      gbp: options.gbp,
    },
  };
}

/** flannel's MTU option is the underlay's; one that is larger than this host's own would drop packets. */
function largestMtu(options: VxlanOptions, host: Host): number {
  return Math.min(options.underlayMtu ?? host.underlay.mtu, host.underlay.mtu) - VXLAN_OVERHEAD;
}

function deviceOf(options: VxlanOptions): string {
  return `flan.${options.vni}`;
}
