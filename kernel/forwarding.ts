/** Whether this host passes on packets that are not its own, which its containers' are (ip-sysctl.rst). Pure. */
import type { Family } from "../net/ip.ts";
import type { KernelObject } from "./state.ts";

/** The names of the switches, as in {@link Sysctl.name}. */
export const forwardingSysctl: Readonly<Record<Family, string>> = {
  4: "net/ipv4/ip_forward",
  6: "net/ipv6/conf/all/forwarding",
};

/** Whether it is not known to be switched off; `objects` is of a dump with the family's sysctl. */
export function forwards(objects: readonly KernelObject[], family: Family): boolean {
  const name = forwardingSysctl[family];
  return !objects.some((one) => one.kind === "sysctl" && one.name === name && one.value === "0");
}

/** The switch as people write it. */
export function forwardingSwitch(family: Family): string {
  return forwardingSysctl[family].replaceAll("/", ".");
}
