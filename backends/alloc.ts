/**
 * No data plane: a subnet, and subnet.env for those who bring the packets there by other means (a router, a cloud's
 * route table). flannel's alloc backend does the same.
 */
import type { View } from "../lease/view.ts";
import type { Backend, Host, PeerPlan, Plan } from "./backend.ts";
import { overlayMtu } from "./mtu.ts";
import { OptionReader } from "./options.ts";
import { ownSubnet, type Peer, readPeer, sortPeers } from "./peers.ts";

const TYPE = "alloc";

export const alloc: Backend = {
  type: TYPE,
  needs: [],
  hasMac: false,

  /** It has no options. */
  check(config) {
    return new OptionReader(config.backendOptions, { backend: TYPE, known: [] }).notes;
  },

  agreed() {
    return {};
  },

  requireHost() {},

  startup() {
    return "";
  },

  devices() {
    return [];
  },

  /** flannel's lease has no type here, and nobody reads one; with it, people see which backend it is. */
  announce() {
    return { backendType: TYPE, backendData: undefined };
  },

  mtu(_config, host) {
    return overlayMtu(host, host.underlay.mtu);
  },

  plan,
};

/** A lease of another backend is a peer too: a flannel host's announces none. */
function plan(view: View, { publicIp, underlay }: Host): Plan {
  const own = ownSubnet(view, []);
  if ("objects" in own) return own;
  const host = { publicIp, address: underlay.address };
  const { peers, refused } = sortPeers(view.peers, { own, host, judge: readPeer });
  const plans = peers.map(({ lease }: Peer): PeerPlan => ({ lease, way: TYPE, keys: [] }));
  return { objects: [], peers: plans, refused };
}
