/** What the kernel has been told of the path MTU to an address. */
import type { Kernel } from "../../kernel/kernel.ts";
import { FlanError } from "../../net/errors.ts";

/** Bytes; 0 where it was told nothing, or has no way to the address. Throws nothing of the kernel's. */
export async function toldMtu(kernel: Pick<Kernel, "routeGet">, address: string): Promise<number> {
  try {
    return (await kernel.routeGet(address)).mtu ?? 0;
  } catch (error) {
    if (error instanceof FlanError) return 0;
    throw error;
  }
}
