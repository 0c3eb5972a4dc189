/** Changes of a network's backend during which its hosts are out of touch: they cannot have both sides of it at once. */
import { canStandBeside, planeName } from "../agent/planes.ts";
import type { Backend } from "../backends/backend.ts";
import { backendFor } from "../backends/registry.ts";
import type { NetworkConfig } from "../lease/network.ts";
import { FlanError, invalid } from "../net/errors.ts";

interface Plane {
  readonly backend: Backend;
  readonly config: NetworkConfig;
}

/** Throws `invalid` where hosts, `count` of them, go over from `before` to `after` each by itself and at once. */
export function requireGradual(
  what: string,
  { before, after, count }: { before: NetworkConfig; after: NetworkConfig; count: number },
): void {
  const [from, to] = [planeOf(before), planeOf(after)];
  if (count < 2 || from === undefined || to === undefined) return;
  const isSame = planeName(from) === planeName(to);
  const options = isSame ? differing(from, to) : [];
  if (isSame ? options.length === 0 : canStandBeside(from, to)) return;
  const why = isSame
    ? `go over to the other ${options.join(" and ")} one by one`
    : `cannot have both ${from.backend.type} and ${to.backend.type} as they are to be, and go over one by one`;
  throw invalid(
    "config.set",
    `Cannot set ${what}: the ${count} hosts ${why}, and any two of them are out of touch from when the first has done ` +
      "so until both have, which is some seconds, or as long as one of them cannot follow",
    isSame
      ? "move to another backend and then back with the new value, which loses nothing, or add --force"
      : "add --force if that may be",
  );
}

/** The options that both ends of a way must have alike, and that are not the same before and after. */
function differing(from: Plane, to: Plane): string[] {
  const agreed = to.backend.agreed?.(to.config) ?? {};
  const former = from.backend.agreed?.(from.config) ?? {};
  return Object.keys(agreed).filter((name) => agreed[name] !== former[name]);
}

/** Undefined for a network that this version cannot carry: whatever comes after it is no worse. */
function planeOf(config: NetworkConfig): Plane | undefined {
  try {
    const backend = backendFor(config.backendType);
    backend.check(config);
    return { backend, config };
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    return undefined;
  }
}
