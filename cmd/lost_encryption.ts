/** Changes of a network's backend after which packets that are encrypted go in clear. */
import { backendFor } from "../backends/registry.ts";
import { backendTypes } from "../backends/types.ts";
import type { BackendConfig } from "../lease/network.ts";
import { invalid } from "../net/errors.ts";

interface Change {
  readonly before: BackendConfig;
  readonly after: BackendConfig;
}

/** Throws `invalid` for such a change. */
export function requireEncryption(what: string, { before, after }: Change): void {
  if (!losesEncryption({ before, after })) return;
  throw invalid(
    "config.set",
    `Cannot set ${what}: the network is encrypted by ${before.backendType}, and backend ${after.backendType} carries its ` +
      "packets in clear",
    "add --force if everybody on their way may read them",
  );
}

/** Whether it is one. */
export function losesEncryption({ before, after }: Change): boolean {
  return encrypts(before) && !encrypts(after);
}

/** False for one that this version does not have. */
function encrypts({ backendType: type }: BackendConfig): boolean {
  return backendTypes.some((known) => known === type) && backendFor(type).encrypts === true;
}
