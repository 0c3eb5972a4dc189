/** What of the kernel has to be read to compare it with a plan. Pure. */
import type { DumpRequest } from "./kernel.ts";
import type { KernelObject } from "./state.ts";

/** `links` are those that are looked at whatever is desired. */
export function requestFor(
  desired: Iterable<KernelObject>,
  links: readonly string[],
): Required<Omit<DumpRequest, "linksOnly">> {
  const names = new Set(links);
  const sysctls: string[] = [];
  const txChecksums: string[] = [];
  for (const object of desired) {
    if (object.kind === "link") names.add(object.name);
    if (object.kind === "link" && object.txChecksum !== undefined) txChecksums.push(object.name);
    if (object.kind === "sysctl") sysctls.push(object.name);
  }
  return { links: [...names], sysctls, txChecksums };
}
