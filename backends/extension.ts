/**
 * The extension data plane: the network's own shell commands do what there is to do, for this host and for each peer.
 * Interoperates with flannel's extension backend (same leases, same variables).
 */
import type { Hook } from "../kernel/state.ts";
import { keyOf } from "../kernel/state.ts";
import type { Lease } from "../lease/lease.ts";
import type { View } from "../lease/view.ts";
import { formatCidr } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { memo } from "../net/memo.ts";
import type { Backend, Host, PeerPlan, Plan } from "./backend.ts";
import { type ExtensionOptions, readExtensionOptions } from "./extension_options.ts";
import { overlayMtu } from "./mtu.ts";
import { ownSubnet, type Peer, readPeer, requireType, sortPeers } from "./peers.ts";

const TYPE = "extension";

export const extension: Backend = {
  type: TYPE,
  needs: ["hooks"],
  hasMac: false,

  check(config) {
    const { read } = readExtensionOptions(config.backendOptions);
    read.requireUsable();
    return read.notes;
  },

  agreed() {
    return {};
  },

  requireHost() {},

  startup(config) {
    return readExtensionOptions(config.backendOptions).options.preStartup;
  },

  devices() {
    return [];
  },

  announce(_config, { said }) {
    return { backendType: TYPE, backendData: said === "" ? undefined : said };
  },

  mtu(_config, host) {
    return overlayMtu(host, host.underlay.mtu);
  },

  plan,
};

function plan(view: View, { publicIp, underlay, ipv6 }: Host): Plan {
  const { options, read } = readExtensionOptions(view.network.backendOptions);
  const own = ownSubnet(view, read.problems);
  if ("objects" in own) return own;
  const { peers, refused } = sortPeers(view.peers, {
    own,
    host: { publicIp, address: underlay.address },
    judge: (lease, family) => requireType(lease, TYPE) ?? readPeer(lease, family),
  });
  const mine: Hook = {
    kind: "hook",
    subnet: view.own!.subnet,
    publicIp,
    ...secondOf(view.own!, ipv6?.publicIp),
    network: formatCidr(view.network.network),
    ...(view.network.ipv6 && { network6: formatCidr(view.network.ipv6.network) }),
    data: "",
    add: options.postStartup,
    remove: options.shutdown,
  };
  const made = peers.map((peer) => hookOf(peer, options));
  const hooks = made.map(({ hook }) => hook);
  return { objects: [mine, ...hooks].filter(isAnything), peers: made.map((one) => one.plan), refused };
}

/** The second half, where the lease has one. */
function secondOf({ subnet6 }: Lease, publicIp6: string | undefined): Pick<Hook, "subnet6" | "publicIp6"> {
  return subnet6 === undefined ? {} : { subnet6, ...(publicIp6 !== undefined && { publicIp6 }) };
}

/** Without commands there is nothing to be kept. */
function isAnything({ add, remove }: Hook): boolean {
  return add !== "" || remove !== "";
}

/** The same objects for the same peer each time, so that whoever compares plans sees at once what is new. */
const hookOf = memo(
  makeHook,
  (a, b) => a.subnetAdd === b.subnetAdd && a.subnetRemove === b.subnetRemove,
);

function makeHook({ lease }: Peer, options: ExtensionOptions): { hook: Hook; plan: PeerPlan } {
  const hook: Hook = {
    kind: "hook",
    subnet: lease.subnet,
    publicIp: lease.publicIp,
    ...secondOf(lease, lease.publicIp6),
    network: "",
    data: textOf(lease.backendData),
    add: options.subnetAdd,
    remove: options.subnetRemove,
  };
  return { hook, plan: { lease, way: TYPE, keys: isAnything(hook) ? [keyOf(hook)] : [] } };
}

/** flannel hands on the string that the peer announced; whatever else stands there is handed on as JSON. */
function textOf(data: Json | undefined): string {
  return typeof data === "string" ? data : data === undefined || data === null ? "" : JSON.stringify(data);
}
