/** Leases that are valid, and of no use to the network's backend. */
import type { Host } from "../backends/backend.ts";
import type { Lease, Refusal } from "../lease/lease.ts";
import { makeView } from "../lease/view.ts";
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

/** A subnet that no network can have: a plan needs one of the host's own. */
export const NOWHERE: Lease = {
  subnet: "255.255.255.255/32",
  publicIp: NOBODY.publicIp,
  backendType: "",
  backendData: undefined,
  node: NOBODY.node,
  expires: undefined,
  revision: 0,
};

/** The valid leases that the network's backend cannot use on any host. */
export function unreachableIn({ snapshot, config, backend }: StoredNetwork): readonly Refusal[] {
  const view = makeView(snapshot, { node: NOBODY.node, network: config });
  return backend.plan({ ...view, own: NOWHERE }, NOBODY).refused;
}
