/** What the kernel has been told of the path MTU to an address. */
import type { Kernel, RouteQuery } from "../../kernel/kernel.ts";
import { FlanError } from "../../net/errors.ts";

/**
 * Bytes, of packets that go as `query` says; 0 where it was told nothing, or has no way to the address. Throws nothing of
 * the kernel's.
 */
export async function toldMtu(
  kernel: Pick<Kernel, "routeGet">,
  address: string,
  query: RouteQuery,
): Promise<number> {
  try {
    return (await kernel.routeGet(address, query)).mtu;
  } catch (error) {
    if (error instanceof FlanError) return 0;
    throw error;
  }
}
