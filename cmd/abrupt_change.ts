/** Changes of a network's backend during which its hosts are out of touch: they cannot have both sides of it at once. */
import { canStandBeside, planeName } from "../agent/planes.ts";
import type { Backend } from "../backends/backend.ts";
import { backendFor } from "../backends/registry.ts";
import type { NetworkConfig } from "../lease/network.ts";
import { shellWords } from "../kernel/commands.ts";
import { configOf, familiesOf } from "../lease/stack.ts";
import { FlanError, invalid } from "../net/errors.ts";
import { withoutSecrets } from "../net/secret_option.ts";

interface Plane {
  readonly backend: Backend;
  readonly config: NetworkConfig;
}

/** Throws `invalid` where hosts, `count` of them, go over from `before` to `after` each by itself and at once. */
export function requireGradual(
  what: string,
  { before, after, count }: { before: NetworkConfig; after: NetworkConfig; count: number },
): void {
  const [from, to] = inCommon(before, after).map(planeOf);
  if (count < 2 || from === undefined || to === undefined) return;
  const isSame = planeName(from) === planeName(to);
  const options = isSame ? differing(from, to) : [];
  if (isSame ? options.length === 0 : canStandBeside(from, to)) return;
  const why = isSame
    ? `go over to the other ${options.join(" and ")} one by one`
    : `cannot have ${bothOf(from, to)} at once, and go over one by one`;
  throw invalid(
    "config.set",
    `Cannot set ${what}: the ${count} hosts ${why}, and any two of them are out of touch from when the first has done ` +
      "so until both have, which is some seconds, or as long as one of them cannot follow",
    // What an encrypted network could move to and back from would carry its packets in clear meanwhile.
    isSame && from.backend.encrypts !== true
      ? "move to another backend, and when flan status shows no move any more, back again, which loses nothing: " +
        `${wayBack(to.config)}; or add --force`
      : "add --force if that may be",
  );
}

/** With all options in one: without any, the backend would have again those that it had before. */
function wayBack({ backendType, backendOptions }: NetworkConfig): string {
  const whole = JSON.stringify(withoutSecrets({ Type: backendType, ...backendOptions }));
  return shellWords(["flan", "config", "set", "backend", whole]);
}

/** The configs as of the family that both carry, where one carries another besides: that comes or goes by itself. */
function inCommon(before: NetworkConfig, after: NetworkConfig): readonly NetworkConfig[] {
  const [former, latter] = [familiesOf(before), familiesOf(after)];
  const [shared] = former.filter((family) => latter.includes(family));
  if (shared === undefined || former.length === latter.length) return [before, after];
  return [configOf(before, shared), configOf(after, shared)];
}

function bothOf({ backend: { type } }: Plane, { backend }: Plane): string {
  return type === backend.type
    ? `the devices of ${type} as it is and as it is to be`
    : `both ${type} and ${backend.type}`;
}

/** The options that both ends of a way must have alike, and that are not the same before and after. */
function differing(from: Plane, to: Plane): string[] {
  const agreed = to.backend.agreed(to.config);
  const former = from.backend.agreed(from.config);
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
