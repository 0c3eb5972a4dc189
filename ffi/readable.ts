/**
 * Waiting until a descriptor can be read. However many wait, one call waits for all of them: a call that may take for
 * ever holds one of the 32 threads that serve files, DNS and the terminal too. A descriptor that comes or goes while the
 * call is under way counts at once (epoll_ctl(2)), which poll(2) cannot do.
 */
import { FlanError } from "../net/errors.ts";
import { errnoName, errnoText } from "./errno.ts";
import { closeFd, epollControl, epollCreate, eventfd, libc } from "./libc.ts";

// sys/epoll.h
const EPOLLIN = 1;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
// sys/eventfd.h
const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;

/** struct epoll_event { u32 events; u64 data; }, packed on x86-64 only. */
const DATA = Deno.build.arch === "x86_64" ? 4 : 8;
const EVENT_BYTES = DATA + 8;
const MAX_EVENTS = 32;
/** So many failures in a row are a defect, not signals: the errno of a call on another thread cannot be known. */
const MAX_FAILURES = 1000;

interface Waiter {
  readonly fds: readonly number[];
  readonly promise: PromiseWithResolvers<void>;
}

class Readiness {
  #epoll = -1;
  readonly #waiters = new Map<number, Waiter>();

  wait(fds: readonly number[]): Promise<void> {
    const isIdle = this.#waiters.size === 0;
    if (isIdle) this.#epoll = must(epollCreate());
    const waiter = { fds, promise: Promise.withResolvers<void>() };
    const added: number[] = [];
    try {
      for (const fd of fds) {
        must(epollControl(this.#epoll, { operation: EPOLL_CTL_ADD, fd, event: readEvent(fd) }));
        added.push(fd);
      }
    } catch (error) {
      for (const fd of added) this.#remove(fd);
      if (isIdle) closeFd(this.#epoll);
      throw error;
    }
    for (const fd of fds) this.#waiters.set(fd, waiter);
    if (isIdle) this.#run();
    return waiter.promise.promise;
  }

  async #run(): Promise<void> {
    const events = new Uint8Array(MAX_EVENTS * EVENT_BYTES);
    const view = new DataView(events.buffer);
    let failures = 0;
    while (this.#waiters.size > 0) {
      const count = await libc().epoll_wait(this.#epoll, events, MAX_EVENTS, -1);
      failures = count < 0 ? failures + 1 : 0;
      for (let i = 0; i < count; i++) {
        this.#waiters.get(view.getInt32(i * EVENT_BYTES + DATA, true))?.promise.resolve();
        this.#forget(view.getInt32(i * EVENT_BYTES + DATA, true));
      }
      if (failures < MAX_FAILURES) continue;
      for (const { promise, fds } of new Set(this.#waiters.values())) {
        promise.reject(failed("epoll_wait fails again and again"));
        this.#forget(fds[0]!);
      }
    }
    // Whoever waited may wait again, with an instance of its own.
    closeFd(this.#epoll);
  }

  /** Takes all descriptors of the waiter of `fd` out: they may be closed, and their numbers others', from now on. */
  #forget(fd: number): void {
    for (const other of this.#waiters.get(fd)?.fds ?? []) {
      this.#waiters.delete(other);
      this.#remove(other);
    }
  }

  #remove(fd: number): void {
    epollControl(this.#epoll, { operation: EPOLL_CTL_DEL, fd, event: readEvent(fd) });
  }
}

function readEvent(fd: number): Uint8Array<ArrayBuffer> {
  const event = new Uint8Array(EVENT_BYTES);
  const view = new DataView(event.buffer);
  view.setUint32(0, EPOLLIN, true);
  view.setInt32(DATA, fd, true);
  return event;
}

function must(result: number): number {
  if (result >= 0) return result;
  throw failed(`${errnoText(-result)} (${errnoName(-result)})`);
}

function failed(why: string): FlanError {
  return new FlanError(`Cannot wait for descriptors: ${why}`, { op: "ffi.wait", code: "failed" });
}

const readiness = new Readiness();

/**
 * Resolves when one of the descriptors can be read, or has failed; none of them may be closed before. Throws FlanError
 * `failed` for one that cannot be waited for, or that somebody waits for already.
 */
export async function readable(...fds: readonly number[]): Promise<void> {
  await readiness.wait(fds);
}

/** The same, but for `signal`: resolves when that aborts, too. */
export async function readableUntil(signal: AbortSignal, ...fds: readonly number[]): Promise<void> {
  if (signal.aborted) return;
  const wake = must(eventfd(EFD_CLOEXEC | EFD_NONBLOCK));
  const stop = () => void libc().eventfd_write(wake, 1n);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await readable(wake, ...fds);
  } finally {
    signal.removeEventListener("abort", stop);
    closeFd(wake);
  }
}
