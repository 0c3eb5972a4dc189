/** What the config of a network that moves to another backend is to say of the former ones. */
import { isCarrying, planeName, vniOf } from "../agent/planes.ts";
import { backendFor } from "../backends/registry.ts";
import { type Plane, vniIn } from "../backends/several.ts";
import { withFormerBackends } from "../lease/former_backends.ts";
import type { Lease } from "../lease/lease.ts";
import type { BackendConfig, NetworkConfig } from "../lease/network.ts";
import { FlanError } from "../net/errors.ts";
import type { Json } from "../net/json.ts";

/**
 * `changed`, which is `after` in flannel's form, with the backends that hosts may be on until they have moved: the one of
 * `before`, and what that names and one of the `leases` still announces. One whose options alone change is the same, and
 * so are two that want one device.
 */
export function rememberingFormer(
  changed: Json,
  { before, after, leases }: { before: NetworkConfig; after: NetworkConfig; leases: readonly Lease[] },
): Json {
  const present = planeOf(after, after);
  const former = new Map<string, Json>();
  for (const one of [before, ...before.formerBackends ?? []]) {
    const plane = planeOf(one, after);
    if (plane === undefined || (one !== before && !isAnnounced(plane, leases))) continue;
    const name = planeName(plane);
    if (former.has(name) || (present !== undefined && name === planeName(present))) continue;
    former.set(name, { Type: one.backendType, ...one.backendOptions });
  }
  return withFormerBackends(changed, [...former.values()]);
}

/** Undefined for a backend that cannot stand beside others, or that this version has not. */
function planeOf({ backendType, backendOptions }: BackendConfig, network: NetworkConfig): Plane | undefined {
  const config = { ...network, backendType, backendOptions };
  try {
    const plane = { backend: backendFor(backendType), config };
    return isCarrying(plane) ? plane : undefined;
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    return undefined;
  }
}

/** Whether some host says that it has the plane. Leases of udp say no type. */
function isAnnounced(plane: Plane, leases: readonly Lease[]): boolean {
  const { type } = plane.backend;
  return leases.flatMap((lease) => [lease, ...lease.otherPlanes ?? []]).some(({ backendType, backendData }) =>
    (backendType || "udp") === type && vniIn(backendData) === vniOf(plane)
  );
}
