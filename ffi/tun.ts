/** TUN devices and their queues (linux/if_tun.h, Documentation/networking/tuntap.rst). */
import { errnoNumber } from "./errno.ts";
import { closeFd, ioctl, linkIndex, openFile } from "./libc.ts";

/** Where TUN devices are made; the module `tun` brings it. */
export const TUN_CONTROL = "/dev/net/tun";

// asm-generic/fcntl.h, the same on x86-64 and arm64.
const O_RDWR = 0o2;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

// linux/if_tun.h: _IOW('T', 202, int) and _IOW('T', 203, int).
const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;

// linux/if_tun.h
const IFF_TUN = 0x0001;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const IFF_TUN_EXCL = 0x8000;

// struct ifreq { char name[IFNAMSIZ]; short flags; … }, linux/if.h; a union fills it to 40 bytes.
const IFNAMSIZ = 16;
const IFREQ_BYTES = 40;

const EBUSY = errnoNumber("EBUSY")!;
const EEXIST = errnoNumber("EEXIST")!;
const EINVAL = errnoNumber("EINVAL")!;
const ENODEV = errnoNumber("ENODEV")!;

export interface TunQueueOptions {
  /** Whether the device takes several queues; all of its queues must be opened alike. */
  readonly multiQueue: boolean;
}

/** Opens {@link TUN_CONTROL}; a descriptor that is no queue of any device yet, or `-errno`. */
export function openTunControl(): number {
  return openFile(TUN_CONTROL, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

/**
 * Makes a TUN device, down, for bare packets with virtio-net headers, and returns its first queue, or `-errno`
 * (EEXIST where a link has that name). The device goes when the queue is closed, unless {@link persistTun} came
 * before.
 */
export function createTun(name: string, options: TunQueueOptions): number {
  const fd = openAs(name, flagsOf(options) | IFF_TUN_EXCL);
  return fd === -EBUSY ? -EEXIST : fd;
}

/** Lets the device of a queue outlive its queues; 0 or `-errno`. */
export function persistTun(fd: number): number {
  return ioctl(fd, TUNSETPERSIST, 1);
}

/**
 * Opens a queue of a device that is there, non-blocking and close-on-exec: a descriptor, or `-errno`. ENODEV where there
 * is no such link, EINVAL for a link that is no TUN device or has the other `multiQueue`, EBUSY where another
 * program reads the only queue.
 */
export function openTunQueue(link: string, options: TunQueueOptions): number {
  // TUNSETIFF makes a device where none has the name.
  const before = linkIndex(link);
  if (before === 0) return -ENODEV;
  const fd = openAs(link, flagsOf(options));
  if (fd < 0 || linkIndex(link) === before) return fd;
  // The link went away in between. Closing takes away what the request made, which does not persist.
  closeFd(fd);
  return -ENODEV;
}

function flagsOf({ multiQueue }: TunQueueOptions): number {
  return IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | (multiQueue ? IFF_MULTI_QUEUE : 0);
}

function openAs(name: string, flags: number): number {
  const bytes = new TextEncoder().encode(name);
  // The kernel would cut a longer name off, make one up for an empty one, and take `%d` for a number.
  if (bytes.length === 0 || bytes.length >= IFNAMSIZ || /[%\0]/.test(name)) return -EINVAL;
  const fd = openTunControl();
  if (fd < 0) return fd;
  const request = new Uint8Array(IFREQ_BYTES);
  request.set(bytes);
  new DataView(request.buffer).setUint16(IFNAMSIZ, flags, true);
  const result = ioctl(fd, TUNSETIFF, request);
  if (result >= 0) return fd;
  closeFd(fd);
  return result;
}
