/** Leases that are valid, and of no use to the network's backend. */
import type { Host } from "../backends/backend.ts";
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

/** The valid leases that the network's backend cannot use on any host. */
export function unreachableIn({ snapshot, config, backend }: StoredNetwork): readonly Refusal[] {
  const view = makeView(snapshot, { node: NOBODY.node, network: config });
  return backend.plan({ ...view, own: nowhereIn(config) }, NOBODY).refused;
}
