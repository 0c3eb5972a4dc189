/** Whether this process may change the network. */
import { FlanError, systemReason } from "../net/errors.ts";

/** Bit of CAP_NET_ADMIN in the capability sets of {@link STATUS} (linux/capability.h). */
const CAP_NET_ADMIN = 12n;

const STATUS = "/proc/self/status";

/** Whether this process has the capability. Throws FlanError `failed` where that cannot be read. */
export function hasNetAdmin(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(ownStatus())?.[1];
  return effective !== undefined && (BigInt(`0x${effective}`) >> CAP_NET_ADMIN & 1n) === 1n;
}

/** Throws FlanError `not-permitted` naming the capability where this process lacks it. */
export function requireNetAdmin(what: string): void {
  if (hasNetAdmin()) return;
  throw new FlanError(`Cannot ${what}: the capability CAP_NET_ADMIN is missing`, {
    op: "capability",
    code: "not-permitted",
    hint: "run as root",
  });
}

function ownStatus(): string {
  try {
    return Deno.readTextFileSync(STATUS);
  } catch (cause) {
    throw new FlanError(`Cannot read ${STATUS}: ${systemReason(cause)}`, {
      op: "capability",
      code: "failed",
      cause,
    });
  }
}
