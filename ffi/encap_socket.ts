/** Sockets at which the kernel takes ESP out of UDP (RFC 3948): man 7 udp, linux/udp.h. */
import type { EncapSockets } from "../kernel/encap_sockets.ts";
import { KernelError } from "../net/errors.ts";
import { parseUdp } from "../net/proc_udp.ts";
import { errnoName, errnoText } from "./errno.ts";
import { closeFd, ioctl, type SocketOption, SOL_SOCKET } from "./libc.ts";
import { whenEnded } from "./process_end.ts";
import { openUdpSocket } from "./udp_socket.ts";
import { UDP_ENCAP_ESPINUDP } from "./xfrm/state.ts";

const SOL_UDP = 17;
const UDP_ENCAP = 100;
/** asm-generic/socket.h */
const SO_RCVBUF = 8;
/** asm-generic/ioctls.h: the descriptor stays open in what is executed. */
const FIONCLEX = 0x5450;

/** Nobody reads what is no ESP: the kernel keeps as little of it as it can. */
const encap = [
  { level: SOL_SOCKET, name: SO_RCVBUF, value: 1 },
  { level: SOL_UDP, name: UDP_ENCAP, value: UDP_ENCAP_ESPINUDP },
];

/** Those of the network namespace of the calling thread. */
export const encapSockets: EncapSockets = {
  handOn: (port, spawn) => handOnUdp({ address: "0.0.0.0", port, options: encap }, spawn),
  inodesAt(port) {
    // Of this thread, which may have entered another namespace than the process.
    return parseUdp(Deno.readTextFileSync("/proc/thread-self/net/udp"))
      .filter((line) => line.port === port).map(({ inode }) => inode);
  },
  whenEnded,
};

/** A UDP socket with these options, bound, for what `spawn` starts; see {@link EncapSockets.handOn}. */
export function handOnUdp<T>(
  { address, port, options }: {
    readonly address: string;
    readonly port: number;
    readonly options: readonly SocketOption[];
  },
  spawn: () => T,
): T {
  const fd = must(port, openUdpSocket({ address, port, shared: false, options }));
  try {
    // From here to the close nothing else is started: this thread does nothing in between.
    must(port, ioctl(fd, FIONCLEX, 0));
    return spawn();
  } finally {
    closeFd(fd);
  }
}

function must(port: number, result: number): number {
  if (result >= 0) return result;
  const errno = errnoName(-result);
  throw new KernelError(
    `Cannot take ESP out of UDP at port ${port}: ${errnoText(-result)} (${errno})`,
    errno,
    { op: "ffi.encap" },
  );
}
