/** `flan lease check`: what is wrong with the leases, each with the command that mends it. */
import { readHostState } from "../agent/host_state.ts";
import type { Host } from "../backends/backend.ts";
import { checkLeases } from "../lease/check.ts";
import type { Lease, Refusal } from "../lease/lease.ts";
import { makeView } from "../lease/view.ts";
import { readNetwork, type StoredNetwork, withStore } from "./context.ts";
import { printFindings } from "./findings.ts";
import type { Call } from "./leaf.ts";

export async function checkAllLeases({ context, format, header }: Call): Promise<number> {
  const node = readHostState(context.settings.stateDir)?.node;
  const stored = await withStore(context, (store) => readNetwork(store));
  const { snapshot, config } = stored;
  return printFindings(format, {
    schema: "lease-check",
    items: checkLeases({ snapshot, network: config, node, unreachable: unreachableIn(stored) }),
    empty: "every lease is well",
    extra: { leases: snapshot.records.length, revision: snapshot.revision },
  }, header);
}

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
