/** What a proxy reads and writes: a TUN queue and a UDP socket for each of its queues, and a raw socket. */
import type { Proxy } from "../kernel/state.ts";
import { KernelError } from "../net/errors.ts";
import { errnoName, errnoText } from "./errno.ts";
import { familyOf } from "../net/ip.ts";
import { closeFd, linkIndex } from "./libc.ts";
import type { Queue } from "./proxy_structs.ts";
import { openTunQueue } from "./tun.ts";
import { openRawSocket, openUdpSocket } from "./udp_socket.ts";
import { placeOf } from "../net/place.ts";

export interface Descriptors {
  readonly queues: readonly Queue[];
  readonly raw: number;
  /** The index of the device that the queues are of; its name can go to another one. */
  readonly linkIndex: number;
}

/** Throws KernelError with the errno of the first that cannot be opened; none stays open then. */
export function openDescriptors(
  { link, address, port, queues }: Pick<Proxy, "link" | "address" | "port" | "queues">,
): Descriptors {
  const several = queues > 1;
  const where = `Cannot start the UDP proxy at ${placeOf({ hostname: address, port })}`;
  const open: number[] = [];
  const must = (what: string, fd: number): number => {
    if (fd < 0) {
      const why = `${errnoText(-fd)} (${errnoName(-fd)})`;
      throw new KernelError(`${where}: ${what}${why}`, errnoName(-fd), { op: "proxy.open" });
    }
    open.push(fd);
    return fd;
  };
  try {
    // The sockets first: a port that is taken is what happens, and says so best.
    if (several) requireFree({ address, port }, must);
    const sockets = times(queues, () => must("", openUdpSocket({ address, port, shared: several })));
    const raw = must("the raw socket for ICMP cannot be opened, ", openRawSocket(familyOf(address)));
    const tuns = times(
      queues,
      () => must(`a queue of ${link} cannot be opened, `, openTunQueue(link, { multiQueue: several })),
    );
    return { queues: tuns.map((tun, i) => ({ tun, socket: sockets[i]! })), raw, linkIndex: linkIndex(link) };
  } catch (error) {
    for (const fd of open) closeFd(fd);
    throw error;
  }
}

/** SO_REUSEPORT would share the port with another program of this user, and each peer's packets go to one of them. */
function requireFree(
  where: { address: string; port: number },
  must: (what: string, fd: number) => number,
): void {
  const probe = openUdpSocket({ ...where, shared: false });
  if (probe < 0) must("", probe);
  closeFd(probe);
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}
