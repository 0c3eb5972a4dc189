/**
 * The network as this host is in it, for those who look: a host that cannot follow the store's config stays on the
 * backend that it had, and works. Its agent says why (`network-config`); all else of it is to be judged by what it has.
 */
import type { Plane } from "../backends/several.ts";
import type { Lease } from "../lease/lease.ts";
import type { Snapshot } from "../lease/store.ts";
import { makeView } from "../lease/view.ts";
import { readHostState } from "./host_state.ts";
import { planeOf } from "./learned_planes.ts";
import type { Network } from "./network.ts";
import { isCarrying, planeName, readPlanes } from "./planes.ts";

/**
 * The `network` of the store's snapshot; with the backend that the host stayed on, where it announces that one in its
 * lease and its agent has not gone over to another. Who may not read the state directory takes what the config says of
 * that backend.
 */
export function heldNetwork<N extends Network & { readonly snapshot: Snapshot }>(
  network: N,
  stateDir: string,
): N {
  const { snapshot, config: stored } = network;
  const [present] = readPlanes(stateDir, { network: stored, macs: {} });
  const isFollowed = present === undefined
    ? stored.formerBackends === undefined
    : planeName(present) === planeName(network);
  const node = readHostState(stateDir)?.node;
  if (isFollowed || node === undefined || !isCarrying(network)) return network;
  const { own } = makeView(snapshot, { node, network: stored });
  const held = own === undefined ? undefined : present ?? stayedOn(network, own);
  if (own === undefined || held === undefined || !says(own, held)) return network;
  const { backend, config } = held;
  return { ...network, config, backend, devices: backend.devices(config), ignored: [] };
}

/** What hosts of the network may be on beside its present backend, as its config and this host's state directory say. */
export function formerPlanes({ config }: Pick<Network, "config">, stateDir: string): readonly Plane[] {
  const told = (config.formerBackends ?? []).flatMap((one) => planeOf(one, config));
  return [...told, ...readPlanes(stateDir, { network: config, macs: {} })];
}

/** A lease that says nothing of the present backend says which one its host has instead. */
function stayedOn({ config }: Network, own: Lease): Plane | undefined {
  if (says(own, { config })) return undefined;
  const former = (config.formerBackends ?? []).flatMap((one) => planeOf(one, config));
  return former.find((plane) => says(own, plane));
}

/** Leases of udp say no type. */
function says(own: Lease, { config }: Pick<Plane, "config">): boolean {
  return [own, ...own.otherPlanes ?? []].some(({ backendType }) =>
    (backendType || "udp") === config.backendType
  );
}
