/** What the config of a network that moves to another backend is to say of the former ones. */
import { isCarrying, planeName } from "../agent/planes.ts";
import { backendFor } from "../backends/registry.ts";
import { withFormerBackends } from "../lease/former_backends.ts";
import type { BackendConfig, NetworkConfig } from "../lease/network.ts";
import { FlanError } from "../net/errors.ts";
import type { Json } from "../net/json.ts";

/**
 * `changed`, which is `after` in flannel's form, with the backends that hosts may be on until they have moved: the one of
 * `before` and what that names. One whose options alone change is the same, and so are two that want one device.
 */
export function rememberingFormer(
  changed: Json,
  { before, after }: { before: NetworkConfig; after: NetworkConfig },
): Json {
  const present = nameOf(after, after);
  const former = new Map<string, Json>();
  for (const one of [before, ...before.formerBackends ?? []]) {
    const name = nameOf(one, after);
    if (name === undefined || name === present || former.has(name)) continue;
    former.set(name, { Type: one.backendType, ...one.backendOptions });
  }
  return withFormerBackends(changed, [...former.values()]);
}

/** Undefined for a backend that cannot stand beside others, or that this version has not. */
function nameOf({ backendType, backendOptions }: BackendConfig, network: NetworkConfig): string | undefined {
  const config = { ...network, backendType, backendOptions };
  try {
    const plane = { backend: backendFor(backendType), config };
    return isCarrying(plane) ? planeName(plane) : undefined;
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    return undefined;
  }
}
