/** Whether this host has booted since it was in the network last: after a power cut others may be away, too. */

/** A UUID that the kernel makes at each boot (random(4)), with a line's end. */
const FILE = "/proc/sys/kernel/random/boot_id";
const LENGTH = 36;

/** This boot's id, or undefined where the kernel does not tell. */
export function readBootId(file = FILE): string | undefined {
  const bytes = new Uint8Array(LENGTH);
  try {
    using open = Deno.openSync(file);
    open.readSync(bytes);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
      return undefined;
    }
    throw error;
  }
  const id = new TextDecoder().decode(bytes);
  return isBootId(id) ? id : undefined;
}

export function isBootId(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}

/** What is kept of a host in its state directory. */
interface Kept {
  readonly networks: readonly string[];
  readonly boot: string | undefined;
}

/** Whether the host of `state`, as it was before the join, was in a network, and that in another boot than `id`. */
export function isBackFromBoot(state: Kept | undefined, id: string | undefined): boolean {
  if (state === undefined || state.networks.length === 0) return false;
  return id !== undefined && state.boot !== undefined && state.boot !== id;
}
