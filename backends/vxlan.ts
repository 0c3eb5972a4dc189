/**
 * The vxlan data plane: one VXLAN device, and for each peer a route, a neighbour and an FDB entry, so that no
 * ARP and no flooding is needed. Interoperates with flannel's vxlan backend (same lease data, same frames).
 */
import {
  defaultMetric,
  type FdbEntry,
  type KernelObject,
  keyOf,
  type Neighbour,
  type Nexthop,
  type Route,
  ROUTE_PROTOCOL,
} from "../kernel/state.ts";
import type { Refusal } from "../lease/lease.ts";
import type { View } from "../lease/view.ts";
import { memo } from "../net/memo.ts";
import type { Backend, Host, PeerPlan, Plan } from "./backend.ts";
import { overlayMtu } from "./mtu.ts";
import { ownSubnet } from "./peers.ts";
import { type Device, deviceOf, largestMtu, nameOf } from "./vxlan_device.ts";
import { nextHopOf } from "./vxlan_next_hop.ts";
import { planDirect } from "./direct.ts";
import { planOnDemand } from "./vxlan_on_demand.ts";
import { readVxlanOptions, vxlanOptions } from "./vxlan_options.ts";
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

  agreed(config) {
    const { port, gbp } = vxlanOptions(config.backendOptions);
    return { Port: port, GBP: gbp };
  },

  requireHost() {},

  startup() {
    return "";
  },

  devices(config) {
    return [nameOf(vxlanOptions(config.backendOptions), config.network.family)];
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
  const device = deviceOf(options, { own, host });
  const tunnel = (distant: readonly VxlanPeer[]) =>
    options.onDemand
      ? planOnDemand(distant, { device, refused, network: view.network.network, wanted: host.wanted })
      : planAll(distant, { device, refused });
  return options.directRouting ? planDirect(peers, { underlay: host.underlay, tunnel }) : tunnel(peers);
}

/** Every peer at once. */
function planAll(
  peers: readonly VxlanPeer[],
  { device, refused }: { device: Device; refused: readonly Refusal[] },
): Plan {
  const nexthops: Nexthop[] = [];
  const fdb: FdbEntry[] = [];
  const neighbours: Neighbour[] = [];
  const routes: Route[] = [];
  const plans: PeerPlan[] = [];
  for (const peer of peers) {
    const made = objectsOf(peer, device[0].name);
    if (made.nexthop !== undefined) nexthops.push(made.nexthop);
    fdb.push(made.entry);
    neighbours.push(made.neighbour);
    routes.push(made.route);
    plans.push(made.plan);
  }
  const objects: KernelObject[] = [...device, ...nexthops, ...fdb, ...neighbours, ...routes];
  return { objects, peers: plans, refused };
}

/** The same objects for the same peer each time, so that whoever compares plans sees at once what is new. */
const objectsOf = memo(makeObjects);

/** Of one peer of IPv4 three objects share a nexthop, whose id is the subnet's address. */
function makeObjects(peer: VxlanPeer, device: string) {
  const { lease, mac, family } = peer;
  const { gateway, onlink } = nextHopOf(peer);
  // Nexthop objects, because distinct onlink gateways on one device cost the kernel quadratic time; of IPv6 they do not.
  const nexthop: Nexthop | undefined = family === 6 ? undefined : {
    kind: "nexthop",
    id: Number(peer.id),
    gateway,
    link: device,
    onlink,
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
    metric: defaultMetric(lease.subnet),
    link: device,
    gateway,
    onlink,
    nexthop: nexthop?.id ?? 0,
    type: "unicast",
    protocol: ROUTE_PROTOCOL,
  };
  const objects = [...(nexthop === undefined ? [] : [nexthop]), entry, neighbour, route];
  const plan: PeerPlan = { lease, way: "vxlan", keys: objects.map(keyOf) };
  return { nexthop, entry, neighbour, route, plan };
}
