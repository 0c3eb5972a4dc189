/** The C library's calls as functions that return a value or `-errno`. */
import { library } from "./open.ts";
import { libcSymbols } from "./symbols/libc.ts";

/** The C library itself, for the calls that need no errno. */
export const libc = library({
  name: "libc",
  files: ["libc.so.6", "libc.so"],
  symbols: libcSymbols,
  hint: "apt-get install libc6",
});

/**
 * `result`, or `-errno` where the call that gave it failed. It must be called at once: errno is the thread's,
 * and anything that runs in between may overwrite it.
 */
function checked(result: number): number {
  if (result >= 0) return result;
  // The location is looked up each time because it is per thread and this module may live in several.
  const location = libc().__errno_location();
  return location === null ? result : -new Deno.UnsafePointerView(location).getInt32();
}

// bits/socket_type.h and asm-generic/socket.h, the same on x86-64 and arm64.
export const SOCK_RAW = 3;
export const SOCK_CLOEXEC = 0o2000000;
export const SOCK_NONBLOCK = 0o4000;
export const SOL_SOCKET = 1;
/** sys/epoll.h */
const EPOLL_CLOEXEC = 0o2000000;

export function socket(domain: number, type: number, protocol: number): number {
  return checked(libc().socket(domain, type, protocol));
}

export function bind(fd: number, address: Uint8Array<ArrayBuffer>): number {
  return checked(libc().bind(fd, address, address.length));
}

/** Fills `address`. */
export function getsockname(fd: number, address: Uint8Array<ArrayBuffer>): number {
  return checked(libc().getsockname(fd, address, new Uint32Array([address.length])));
}

/** Sets an option whose value is an int, or a structure of 32-bit words. */
export function setsockopt(fd: number, { level, name, value }: SocketOption): number {
  const words = typeof value === "number" ? Int32Array.of(value) : value;
  return checked(libc().setsockopt(fd, level, name, words, words.byteLength));
}

export interface SocketOption {
  readonly level: number;
  readonly name: number;
  readonly value: number | Int32Array<ArrayBuffer>;
}

export interface Datagram {
  readonly flags: number;
  /** The other side's socket address; `recvfrom` fills it. */
  readonly address: Uint8Array<ArrayBuffer>;
}

/** Bytes sent, or `-errno`. */
export function sendto(fd: number, data: Uint8Array<ArrayBuffer>, { flags, address }: Datagram): number {
  return checked(Number(libc().sendto(fd, data, BigInt(data.length), flags, address, address.length)));
}

const length = new Uint32Array(1);

/** Bytes received (with MSG_TRUNC in `flags`: bytes the datagram had), or `-errno`. */
export function recvfrom(fd: number, data: Uint8Array<ArrayBuffer>, { flags, address }: Datagram): number {
  length[0] = address.length;
  return checked(Number(libc().recvfrom(fd, data, BigInt(data.length), flags, address, length)));
}

export function eventfd(flags: number): number {
  return checked(libc().eventfd(0, flags));
}

export function closeFd(fd: number): number {
  return checked(libc().close(fd));
}

/** An epoll instance, close-on-exec, or `-errno`. */
export function epollCreate(): number {
  return checked(libc().epoll_create1(EPOLL_CLOEXEC));
}

/** Adds, changes or removes a descriptor; `event` is a struct epoll_event. */
export function epollControl(
  epoll: number,
  { operation, fd, event }: { operation: number; fd: number; event: Uint8Array<ArrayBuffer> },
): number {
  return checked(libc().epoll_ctl(epoll, operation, fd, event));
}

/** Opens a file that exists: a descriptor, or `-errno`. */
export function openFile(path: string, flags: number): number {
  return checked(libc().open(terminated(path), flags));
}

/** The request's own result, or `-errno`. What `argument` is, the request says. */
export function ioctl(fd: number, request: number, argument: Uint8Array<ArrayBuffer> | number): number {
  return checked(
    typeof argument === "number"
      ? libc().ioctlNumber(fd, BigInt(request), BigInt(argument))
      : libc().ioctl(fd, BigInt(request), argument),
  );
}

/** The number that pidfd_open(2) has on x86-64 and on arm64 (asm-generic/unistd.h); before 2.36 glibc has no function for it. */
const SYS_pidfd_open = 434;

/** A descriptor, close-on-exec, that can be read when the process has ended, or `-errno`. */
export function pidfdOpen(pid: number): number {
  return checked(Number(libc().syscall(BigInt(SYS_pidfd_open), BigInt(pid), 0n)));
}

/** The index of the link with that name, or 0 where there is none. */
export function linkIndex(name: string): number {
  return libc().if_nametoindex(terminated(name));
}

function terminated(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** The name of the link with that index, or undefined where there is none. */
export function linkName(index: number): string | undefined {
  const name = new Uint8Array(16); // IF_NAMESIZE, net/if.h
  if (libc().if_indextoname(index, name) === null) return undefined;
  return new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
}
