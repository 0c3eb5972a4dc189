/**
 * The host-gw data plane: no tunnel and no device, only a route to each peer's subnet by the peer's own address. All
 * hosts must be on one link. Interoperates with flannel's host-gw backend (same leases, same packets).
 */
import type { View } from "../lease/view.ts";
import { invalid } from "../net/errors.ts";
import type { Backend, Host, Plan } from "./backend.ts";
import { directRoute, linkTest } from "./direct.ts";
import { overlayMtu } from "./mtu.ts";
import { OptionReader } from "./options.ts";
import { ownSubnet, publicIpOf, readPeer, Refused, requireType, sortPeers } from "./peers.ts";

const TYPE = "host-gw";

export const hostGw: Backend = {
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

  /** Peers send to the announced address over the link itself: it must be the one that this host has there. */
  requireHost(_config, { underlay: { link, address }, publicIp }) {
    if (publicIp === address) return;
    throw invalid(
      "backend.host",
      `Cannot use backend host-gw with public address ${publicIp}: it is not the address ${address} on ${link}`,
      "leave --public-ip out, name the interface that has it with --iface, or choose another backend",
    );
  },

  startup() {
    return "";
  },

  devices() {
    return [];
  },

  announce() {
    return { backendType: TYPE, backendData: undefined };
  },

  mtu(_config, host) {
    return overlayMtu(host, host.underlay.mtu);
  },

  plan,
};

function plan(view: View, host: Host): Plan {
  const own = ownSubnet(view, []);
  if ("objects" in own) return own;
  const { underlay, publicIp } = host;
  const isOnLink = linkTest(underlay);
  const { peers, refused } = sortPeers(view.peers, {
    own,
    host: { publicIp, address: underlay.address },
    judge: (lease, family) => requireType(lease, TYPE) ?? readPeer(lease, family),
    claim({ lease }) {
      if (isOnLink(lease.publicIp)) return undefined;
      return new Refused(
        "not-on-link",
        `${
          publicIpOf(own.family)
        } ${lease.publicIp} is not on the link ${underlay.link}, and host-gw sends by no gateway`,
      );
    },
  });
  const made = peers.map((peer) => directRoute(peer, { link: underlay.link, way: TYPE }));
  return { objects: made.map(({ route }) => route), peers: made.map((one) => one.plan), refused };
}
