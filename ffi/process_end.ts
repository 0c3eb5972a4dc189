/** Waiting for the end of a process that is no child: pidfd_open(2), from Linux 5.3 on. */
import { closeFd, eventfd, libc, pidfdOpen } from "./libc.ts";
import { errnoNumber } from "./errno.ts";
import { readable } from "./readable.ts";

// sys/eventfd.h
const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;
const ESRCH = errnoNumber("ESRCH")!;

/**
 * Resolves when the process has ended, or `signal` aborts. On a kernel that lets nobody wait for that, only the signal
 * ends it.
 */
export async function whenEnded(pid: number, signal: AbortSignal): Promise<void> {
  const process = pidfdOpen(pid);
  if (process === -ESRCH || signal.aborted) {
    if (process >= 0) closeFd(process);
    return;
  }
  const wake = eventfd(EFD_CLOEXEC | EFD_NONBLOCK);
  const stop = () => void libc().eventfd_write(wake, 1n);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await readable(wake, ...(process >= 0 ? [process] : []));
  } finally {
    signal.removeEventListener("abort", stop);
    closeFd(wake);
    if (process >= 0) closeFd(process);
  }
}
