/** Waiting for the end of a process that is no child: pidfd_open(2), from Linux 5.3 on. */
import { closeFd, pidfdOpen } from "./libc.ts";
import { errnoNumber } from "./errno.ts";
import { readableUntil } from "./readable.ts";

const ESRCH = errnoNumber("ESRCH")!;

/**
 * Resolves when the process has ended, or `signal` aborts. On a kernel that lets nobody wait for that, only the signal
 * ends it.
 */
export async function whenEnded(pid: number, signal: AbortSignal): Promise<void> {
  const process = pidfdOpen(pid);
  if (process === -ESRCH) return;
  try {
    await readableUntil(signal, ...(process >= 0 ? [process] : []));
  } finally {
    if (process >= 0) closeFd(process);
  }
}
