/**
 * Whether a link leaves the checksums of what it sends to the hardware, or to whichever link carries its packets on:
 * `tx` of ethtool(8), by the requests of linux/ethtool.h.
 */
import { KernelError } from "../net/errors.ts";
import { errnoName, errnoNumber } from "./errno.ts";
import { closeFd, ioctl, SOCK_CLOEXEC, socket } from "./libc.ts";
import { reasonOf } from "./netlink_error.ts";

// bits/socket.h and bits/socket_type.h; any socket takes the request, and means its network namespace.
const AF_INET = 2;
const SOCK_DGRAM = 2;

/** linux/sockios.h */
const SIOCETHTOOL = 0x8946;
// linux/ethtool.h. Reading needs no privilege, setting CAP_NET_ADMIN.
const ETHTOOL_GTXCSUM = 0x16;
const ETHTOOL_STXCSUM = 0x17;

// struct ifreq { char name[IFNAMSIZ]; void *data; … }, linux/if.h; a union fills it to 40 bytes.
const IFNAMSIZ = 16;
const IFREQ_BYTES = 40;
/** struct ethtool_value { u32 cmd, data; }, linux/ethtool.h */
const VALUE_BYTES = 8;

const EINVAL = errnoNumber("EINVAL")!;

/** Undefined where there is no such link, or one that has no such switch. Throws KernelError for other failures. */
export function readTxChecksum(link: string): boolean | undefined {
  const result = request(link, { command: ETHTOOL_GTXCSUM, value: 0 });
  if (result >= 0) return result !== 0;
  const errno = errnoName(-result);
  if (errno === "ENODEV" || errno === "EOPNOTSUPP") return undefined;
  const reason = reasonOf({ errno: -result, text: "" });
  throw new KernelError(`Cannot read whether link ${link} offloads checksums: ${reason}`, errno, {
    op: "kernel.dump",
  });
}

/** 0 or `-errno`. The kernel announces the change as its own, whoever asked for it. */
export function setTxChecksum(link: string, on: boolean): number {
  return Math.min(0, request(link, { command: ETHTOOL_STXCSUM, value: on ? 1 : 0 }));
}

/** The value that stands there after the request, or `-errno`. */
function request(link: string, { command, value }: { command: number; value: number }): number {
  const name = new TextEncoder().encode(link);
  if (name.length === 0 || name.length >= IFNAMSIZ) return -EINVAL;
  const fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  try {
    // What the request points to stands in the same buffer, which the call keeps alive.
    const bytes = new Uint8Array(new ArrayBuffer(IFREQ_BYTES + VALUE_BYTES));
    const view = new DataView(bytes.buffer);
    const start = Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
    bytes.set(name);
    view.setBigUint64(IFNAMSIZ, start + BigInt(IFREQ_BYTES), true);
    view.setUint32(IFREQ_BYTES, command, true);
    view.setUint32(IFREQ_BYTES + 4, value, true);
    const result = ioctl(fd, SIOCETHTOOL, bytes);
    return result < 0 ? result : view.getUint32(IFREQ_BYTES + 4, true);
  } finally {
    closeFd(fd);
  }
}
