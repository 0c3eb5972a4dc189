/** Leases that are valid, and of no use to any host of the network. */
import { formerPlanes } from "../agent/held_network.ts";
import type { Host } from "../backends/backend.ts";
import type { Plane } from "../backends/several.ts";
import type { Lease, Refusal } from "../lease/lease.ts";
import type { NetworkConfig } from "../lease/network.ts";
import { makeView } from "../lease/view.ts";
import { bits, formatCidr, lastAddress } from "../net/ip.ts";
import type { StoredNetwork } from "./context.ts";

/** No host: a plan for it holds whatever the backend can use on any host, and refuses the rest. */
const NOBODY: Host = {
  node: "",
  underlay: {
    link: "",
    address: "0.0.0.0",
    up: true,
    mtu: 1500,
    gateways: [],
    onLink: ["0.0.0.0/0"],
    offLink: [],
  },
  local: [],
  publicIp: "0.0.0.0",
  mac: "",
  mtu: undefined,
  said: "",
  wanted: new Set(),
  txChecksum: undefined,
  firewall: { masquerade: false, exempt: [], dropping: [] },
};

/** A place in the network that no host can have, its last address alone: a plan needs a subnet of the host's own. */
export function nowhereIn({ network }: Pick<NetworkConfig, "network">): Lease {
  const { family } = network;
  return {
    subnet: formatCidr({ family, address: lastAddress(network), length: bits(family) }),
    publicIp: NOBODY.publicIp,
    backendType: "",
    backendData: undefined,
    node: NOBODY.node,
    expires: undefined,
    revision: 0,
  };
}

/**
 * The valid leases that no host can use: neither by the network's backend, nor by a former one that hosts have for those
 * that have not moved yet, or cannot. `stateDir` is this host's.
 */
export function unreachableIn(network: StoredNetwork, stateDir: string): readonly Refusal[] {
  const refused = refusedBy(network, network);
  if (refused.length === 0) return refused;
  return formerPlanes(network, stateDir).reduce((left, plane) => {
    const also = new Set(refusedBy(plane, network).map(({ subnet }) => subnet));
    return left.filter(({ subnet }) => also.has(subnet));
  }, refused);
}

function refusedBy(
  { backend, config }: Plane,
  { snapshot }: Pick<StoredNetwork, "snapshot">,
): readonly Refusal[] {
  const view = makeView(snapshot, { node: NOBODY.node, network: config });
  return backend.plan({ ...view, own: nowhereIn(config) }, NOBODY).refused;
}
