/**
 * The former backends of a network that a host has to have which was not there when the network moved: some peers may not
 * have followed yet, or never will. What they are is known from the network's config, or else from these peers' leases.
 */
import { announcing, type Plane, type Planes } from "../backends/several.ts";
import type { Host } from "../backends/backend.ts";
import { backendFor } from "../backends/registry.ts";
import type { Lease } from "../lease/lease.ts";
import type { BackendConfig, NetworkConfig } from "../lease/network.ts";
import { isObject } from "../lease/go_json.ts";
import { FlanError } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import { mayCarry } from "./network.ts";
import { canStandBeside, MOST_FORMER, planeName } from "./planes.ts";

/**
 * Planes that can stand beside those that this host has, and without which some peer of flan's cannot be reached. One in
 * which packets are in clear is learned for an encrypted network only where its config says so, and never where this
 * host is to use nothing else (`encrypt`).
 */
export function planesToLearn(
  planes: Planes,
  { network, peers, host, encrypt }: {
    network: NetworkConfig;
    peers: readonly Lease[];
    host: Host;
    encrypt?: boolean | undefined;
  },
): readonly Plane[] {
  const ways = planes.map((plane) => announcing(plane, host));
  const isReached = (lease: Lease) => saidBy(lease).some((said) => ways.some((isBy) => isBy(said)));
  const stranded = peers.filter((lease) => lease.node !== undefined && !isReached(lease));
  if (stranded.length === 0) return [];
  const { formerBackends } = network;
  const [{ backend: present }] = planes;
  const said = formerBackends ?? (present.encrypts ? [] : stranded.flatMap(inLease));
  const learned: Plane[] = [];
  for (const plane of said.flatMap((one) => planeOf(one, network))) {
    const there = [...planes, ...learned];
    const fits = mayCarry(plane, { encrypt }) && there.length <= MOST_FORMER &&
      there.every((other) => planeName(plane) !== planeName(other) && canStandBeside(plane, other));
    if (fits && stranded.flatMap(saidBy).some(announcing(plane, host))) learned.push(plane);
  }
  return learned;
}

function saidBy(lease: Lease) {
  return [lease, ...lease.otherPlanes ?? []];
}

/** With the options that a backend has by itself. One that announces nothing of itself cannot be told from others. */
function inLease({ backendType, backendData }: Lease): BackendConfig[] {
  if (backendType === "") return [];
  const vni = backendType === "vxlan" ? vniOf(backendData) : {};
  return [{ backendType, backendOptions: vni }];
}

function vniOf(data: Json | undefined): { readonly [key: string]: Json } {
  if (!isObject(data)) return {};
  const [, vni] = Object.entries(data).find(([key]) => key.toLowerCase() === "vni") ?? [];
  return vni === undefined ? {} : { VNI: vni };
}

/** The network with that backend: none where this version has no such backend, or it cannot carry the network. */
export function planeOf({ backendType, backendOptions }: BackendConfig, network: NetworkConfig): Plane[] {
  const config = { ...network, backendType, backendOptions };
  try {
    const backend = backendFor(backendType);
    backend.check(config);
    return [{ backend, config }];
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    return [];
  }
}
