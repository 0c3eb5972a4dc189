/**
 * The ipip data plane: one IPIP device (RFC 2003), and for each peer a route by its underlay address on that device.
 * Carries IPv4 over IPv4. Interoperates with flannel's ipip backend (same lease data, same packets).
 */
import { IPIP_OVERHEAD } from "../kernel/encapsulation.ts";
import { type Address, aliasOf, keyOf, type Link, type Route, ROUTE_PROTOCOL } from "../kernel/state.ts";
import type { View } from "../lease/view.ts";
import { memo } from "../net/memo.ts";
import type { Backend, Host, PeerPlan, Plan } from "./backend.ts";
import { planDirect } from "./direct.ts";
import { ipv4Problems, requireIpv4 } from "./families.ts";
import { overlayMtu, plannedMtu } from "./mtu.ts";
import { OptionReader, type RawOptions } from "./options.ts";
import { deviceAddress, ownSubnet, type Peer, readPeer, requireType, sortPeers } from "./peers.ts";

const TYPE = "ipip";
const DEVICE = "flan.ipip";

export const ipip: Backend = {
  type: TYPE,
  needs: ["ipip"],
  hasMac: false,

  check(config) {
    requireIpv4(config, TYPE);
    const { read } = readIpipOptions(config.backendOptions);
    read.requireUsable();
    return read.notes;
  },

  agreed() {
    return {};
  },

  requireHost() {},

  startup() {
    return "";
  },

  devices() {
    return [DEVICE];
  },

  announce() {
    return { backendType: TYPE, backendData: undefined };
  },

  mtu(_config, host) {
    return overlayMtu(host, host.underlay.mtu - IPIP_OVERHEAD);
  },

  plan,
};

/** flannel's `DirectRouting`: whether peers on the underlay's own link get a plain route instead of the tunnel. */
function readIpipOptions(raw: RawOptions): { directRouting: boolean; read: OptionReader } {
  const read = new OptionReader(raw, { backend: TYPE, known: ["directrouting"] });
  return { directRouting: read.flag("directrouting"), read };
}

function plan(view: View, host: Host): Plan {
  const { directRouting, read } = readIpipOptions(view.network.backendOptions);
  const own = ownSubnet(view, [...ipv4Problems(view.network), ...read.problems]);
  if ("objects" in own) return own;
  const { peers, refused } = sortPeers(view.peers, {
    own,
    host: { publicIp: host.publicIp, address: host.underlay.address },
    judge: (lease, family) => requireType(lease, TYPE) ?? readPeer(lease, family),
  });
  const link = linkOf(host);
  const address: Address = { kind: "address", link: DEVICE, address: deviceAddress(own) };
  const tunnel = (distant: readonly Peer[]): Plan => {
    const made = distant.map((peer) => routeTo(peer, undefined));
    const routes = made.map(({ route }) => route);
    return { objects: [link, address, ...routes], peers: made.map((one) => one.plan), refused };
  };
  return directRouting ? planDirect(peers, { underlay: host.underlay, tunnel }) : tunnel(peers);
}

/** The same route for the same peer each time, so that whoever compares plans sees at once what is new. */
const routeTo = memo(({ lease }: Peer, _: undefined): { route: Route; plan: PeerPlan } => {
  const route: Route = {
    kind: "route",
    destination: lease.subnet,
    metric: 0,
    link: DEVICE,
    // The device sends to the gateway; that it has no way there by itself, `onlink` lets pass.
    gateway: lease.publicIp,
    onlink: true,
    nexthop: 0,
    type: "unicast",
    protocol: ROUTE_PROTOCOL,
  };
  return { route, plan: { lease, way: TYPE, keys: [keyOf(route)] } };
});

function linkOf(host: Host): Link {
  return {
    kind: "link",
    name: DEVICE,
    type: "ipip",
    alias: aliasOf(host.node),
    mac: "",
    mtu: plannedMtu(host, host.underlay.mtu - IPIP_OVERHEAD),
    up: true,
    ipip: { local: host.underlay.address, remote: "" },
  };
}
