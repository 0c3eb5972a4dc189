/** Datagrams to a unix socket, at a path or under an abstract name: unix(7). Deno sends none in its stable parts. */
import { KernelError } from "../net/errors.ts";
import { errnoName, errnoText } from "./errno.ts";
import { closeFd, sendto, SOCK_CLOEXEC, socket } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** struct sockaddr_un { u16 family; char path[108]; } */
const MAX_NAME = 108;

/** A datagram socket that is not bound, close-on-exec: a descriptor, or `-errno`. */
export function openUnixDatagrams(): number {
  return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/**
 * The address of `/run/a.sock`, which ends with a NUL, or of `@name` for an abstract one, which begins with it and
 * ends where its length says. Throws TypeError for any other name and for one that is too long.
 */
export function unixAddress(name: string): Uint8Array<ArrayBuffer> {
  if (!/^[/@]./.test(name) || name.includes("\0")) {
    throw new TypeError("an absolute path is needed, or a name that begins with @");
  }
  const isAbstract = name.startsWith("@");
  const bytes = new TextEncoder().encode(isAbstract ? `\0${name.slice(1)}` : `${name}\0`);
  if (bytes.length > MAX_NAME) throw new TypeError(`it must have at most ${MAX_NAME} bytes`);
  const address = new Uint8Array(2 + bytes.length);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(bytes, 2);
  return address;
}

/**
 * Sends one datagram and waits for nobody: a receiver whose buffer is full gets none (EAGAIN). Throws KernelError, and
 * TypeError as {@link unixAddress} does.
 */
export function sendUnixDatagram(name: string, data: Uint8Array<ArrayBuffer>): void {
  const address = unixAddress(name);
  const fd = openUnixDatagrams();
  const sent = fd < 0 ? fd : sendto(fd, data, { flags: MSG_DONTWAIT | MSG_NOSIGNAL, address });
  if (fd >= 0) closeFd(fd);
  if (sent >= 0) return;
  const errno = errnoName(-sent);
  throw new KernelError(`Cannot send to ${name}: ${errnoText(-sent)} (${errno})`, errno, { op: "ffi.unix" });
}
