/** {@link Kernel} on Linux, over rtnetlink. */
import type { Clock } from "../net/clock.ts";
import { FlanError } from "../net/errors.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { Application } from "./apply.ts";
import { dump } from "./dump.ts";
import { NetlinkEvents } from "./netlink_events.ts";
import { NetlinkRequests } from "./netlink_requests.ts";
import { routeGet } from "./route_get.ts";

export interface KernelInit {
  readonly clock: Clock;
  /** Bytes of kernel memory for events that were not read yet; more of them become one `overrun`. */
  readonly eventBuffer?: number;
}

/** Holds some 10,000 events, as many as one apply for 2,500 peers makes. */
const EVENT_BUFFER = 8 * 1024 * 1024;

/**
 * The kernel of this process's network namespace. Throws FlanError `unsupported` where libnl-3 is missing, and
 * `failed` where no netlink socket can be opened.
 */
export function openKernel({ clock, eventBuffer = EVENT_BUFFER }: KernelInit): Kernel {
  const requests = new NetlinkRequests(clock);
  const closing = new AbortController();
  // One request at a time: they share a socket, and a dump gives the event loop turns.
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T> | T): Promise<T> => {
    const result = queue.then(() => {
      if (!closing.signal.aborted) return work();
      throw new FlanError("Cannot use the kernel: it was closed", { op: "kernel", code: "failed" });
    });
    queue = result.catch(() => {});
    return result;
  };
  return {
    // This kernel alone has neither; whoever adds the proxy to it knows better (`proxy/proxied_kernel.ts`).
    require: (features) => {
      if (features.length === 0) return Promise.resolve();
      return Promise.reject(
        new FlanError(`Cannot use ${features.join(", ")}: not in this version`, {
          op: "kernel.require",
          code: "unsupported",
        }),
      );
    },
    dump: (request) => inTurn(() => dump(requests, request)),
    apply: (changes) => inTurn(() => new Application(requests, clock).run(changes)),
    events: (signal) =>
      new NetlinkEvents(AbortSignal.any([signal, closing.signal]), {
        ownPort: requests.port,
        receiveBuffer: eventBuffer,
      }),
    routeGet: (destination) => inTurn(() => routeGet(requests, destination)),
    close: () => {
      closing.abort();
      requests.close();
    },
  };
}
