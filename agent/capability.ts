/** Whether this process may change the network. */
import { FlanError } from "../net/errors.ts";

/** Bit of CAP_NET_ADMIN in the capability sets of /proc/self/status (linux/capability.h). */
const CAP_NET_ADMIN = 12n;

/** Whether this process has the capability. */
export function hasNetAdmin(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1];
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
