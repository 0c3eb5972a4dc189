/** {@link Kernel} on Linux, over rtnetlink. */
import type { Clock } from "../net/clock.ts";
import { FlanError } from "../net/errors.ts";
import type { Feature, Kernel } from "../kernel/kernel.ts";
import { Application } from "./apply.ts";
import { dump } from "./dump.ts";
import { errnoName } from "./errno.ts";
import { closeFd } from "./libc.ts";
import { requireLinkKind } from "./link_kinds.ts";
import { reasonOf } from "./netlink_error.ts";
import { NetlinkEvents } from "./netlink_events.ts";
import { NetlinkRequests } from "./netlink_requests.ts";
import { routeGet, routeMatch } from "./route_get.ts";
import { openTunControl, TUN_CONTROL } from "./tun.ts";

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
  const streams = new Set<NetlinkEvents>();
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
    require: (features) =>
      inTurn(() => {
        for (const feature of features) requireFeature(requests, feature);
      }),
    dump: (request) => inTurn(() => dump(requests, request)),
    apply: (changes) => inTurn(() => new Application(requests, clock).run(changes)),
    events: (signal) => {
      const stop = AbortSignal.any([signal, closing.signal]);
      const stream = new NetlinkEvents(stop, { ownPort: requests.port, receiveBuffer: eventBuffer });
      streams.add(stream);
      void stream.closed.then(() => streams.delete(stream));
      return stream;
    },
    hear: async () => void await Promise.all([...streams].map((stream) => stream.hear())),
    routeGet: (destination, query) => inTurn(() => routeGet(requests, destination, query)),
    routeMatch: (destination, query) => inTurn(() => routeMatch(requests, destination, query)),
    close: () => {
      closing.abort();
      requests.close();
    },
  };
}

function requireFeature(requests: NetlinkRequests, feature: Feature): void {
  const op = "kernel.require";
  if (feature === "vxlan" || feature === "ipip") return requireLinkKind(requests, feature);
  // Its devices; what else it takes `ipsec/ipsec_kernel.ts` asks for.
  if (feature === "ipsec") return requireLinkKind(requests, "xfrm", "xfrm_interface");
  if (feature === "proxy") {
    // The kernel has none; `proxy/proxied_kernel.ts` answers for it.
    throw new FlanError("Cannot use the UDP proxy: it is no part of the kernel", { op, code: "unsupported" });
  }
  if (feature === "udp-encap") {
    // As above: `ipsec/encap_kernel.ts`.
    throw new FlanError("Cannot take ESP out of UDP: no socket for it is known", { op, code: "unsupported" });
  }
  if (feature === "hooks") {
    // As above: `hooks/hooked_kernel.ts`.
    throw new FlanError("Cannot run commands: they are no part of the kernel", { op, code: "unsupported" });
  }
  const fd = openTunControl();
  if (fd >= 0) {
    closeFd(fd);
    return;
  }
  const denied = ["EACCES", "EPERM"].includes(errnoName(-fd));
  throw new FlanError(`Cannot use TUN devices: ${TUN_CONTROL}: ${reasonOf({ errno: -fd, text: "" })}`, {
    op,
    code: denied ? "not-permitted" : "unsupported",
    hint: denied ? "run as root" : "modprobe tun",
  });
}
