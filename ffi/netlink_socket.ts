/** A netlink socket: descriptor, options, datagrams. man 7 netlink. */
import { FlanError, KernelError } from "../net/errors.ts";
import { errnoName, errnoNumber, errnoText } from "./errno.ts";
import {
  bind,
  closeFd,
  getsockname,
  recvfrom,
  sendto,
  setsockopt,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  socket,
  SOL_SOCKET,
} from "./libc.ts";

const AF_NETLINK = 16;
// Families, linux/netlink.h
const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
export const NETLINK_GENERIC = 16;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const EBADF = errnoNumber("EBADF")!;
const EINTR = errnoNumber("EINTR")!;
/** How often an interrupted system call is made again before it counts as failed. */
const RETRIES = 100;

export interface NetlinkSocketInit {
  /** The family; NETLINK_ROUTE unless given. */
  readonly protocol?: number;
  /** SO_RCVBUF in bytes. */
  readonly receiveBuffer: number;
  /** Numbers of the groups to subscribe to: RTNLGRP_ for NETLINK_ROUTE. */
  readonly groups: readonly number[];
}

/** Non-blocking and closed on exec. Methods return `-errno` where a system call fails. */
export class NetlinkSocket {
  readonly fd: number;
  /** This socket's address; the kernel puts it into the messages about what this socket asked for. */
  readonly port: number;
  // struct sockaddr_nl { u16 family; u16 pad; u32 pid; u32 groups; }; pid 0 is the kernel.
  readonly #kernel = socketAddress();
  readonly #sender = socketAddress();
  readonly #senderView = new DataView(this.#sender.buffer);
  #open = true;

  /** Throws FlanError `failed` (or `unsupported`, without a C library). */
  constructor({ protocol = NETLINK_ROUTE, receiveBuffer, groups }: NetlinkSocketInit) {
    this.fd = must("open", socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
    try {
      this.#setOptions(receiveBuffer);
      const own = socketAddress();
      must("bind", bind(this.fd, own));
      must("read the address of", getsockname(this.fd, own));
      this.port = new DataView(own.buffer).getUint32(4, true);
      for (const group of groups) {
        must("subscribe", this.#option(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group));
      }
    } catch (error) {
      closeFd(this.fd);
      throw error;
    }
  }

  /** Sends to the kernel, which carries requests out before this returns. */
  send(data: Uint8Array<ArrayBuffer>): number {
    if (!this.#open) return -EBADF;
    return retried(() => sendto(this.fd, data, { flags: 0, address: this.#kernel }));
  }

  /**
   * One datagram from the kernel into `buffer`: its length, larger than the buffer's where it was cut off, or
   * `-errno` (`EAGAIN`: nothing is there). Datagrams from other processes are dropped.
   */
  receive(buffer: Uint8Array<ArrayBuffer>): number {
    // The number may be another descriptor's by now.
    if (!this.#open) return -EBADF;
    const datagram = { flags: MSG_DONTWAIT | MSG_TRUNC, address: this.#sender };
    for (;;) {
      const length = retried(() => recvfrom(this.fd, buffer, datagram));
      if (length < 0 || this.#senderView.getUint32(4, true) === 0) return length;
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeFd(this.fd);
  }

  #setOptions(receiveBuffer: number): void {
    // Beyond net.core.rmem_max only with CAP_NET_ADMIN; without it, as much as there is.
    if (this.#option(SOL_SOCKET, SO_RCVBUFFORCE, receiveBuffer) < 0) {
      must("size", this.#option(SOL_SOCKET, SO_RCVBUF, receiveBuffer));
    }
    must("set options of", this.#option(SOL_NETLINK, NETLINK_CAP_ACK, 1));
    must("set options of", this.#option(SOL_NETLINK, NETLINK_EXT_ACK, 1));
    // Linux 4.20. Without it the kernel ignores dump filters, and what is read is filtered again anyway.
    this.#option(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
  }

  #option(level: number, name: number, value: number): number {
    return setsockopt(this.fd, { level, name, value });
  }
}

/**
 * Throws where a netlink socket of this family cannot be opened: FlanError `unsupported` where the kernel has no such
 * family, else KernelError. For callers of libraries that end the process then. `what` begins the message.
 */
export function requireNetlink(protocol: number, what: string): void {
  const fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd >= 0) return void closeFd(fd);
  const name = errnoName(-fd);
  const message = `${what}: ${errnoText(-fd)} (${name})`;
  const op = "ffi.netlink";
  if (name === "EPROTONOSUPPORT" || name === "EAFNOSUPPORT") {
    throw new FlanError(message, { op, code: "unsupported" });
  }
  throw new KernelError(message, name, { op });
}

function socketAddress(): Uint8Array<ArrayBuffer> {
  const address = new Uint8Array(12);
  new DataView(address.buffer).setUint16(0, AF_NETLINK, true);
  return address;
}

function retried(call: () => number): number {
  for (let attempt = 1;; attempt++) {
    const result = call();
    if (result !== -EINTR || attempt === RETRIES) return result;
  }
}

function must(what: string, result: number): number {
  if (result >= 0) return result;
  throw new FlanError(`Cannot ${what} netlink socket: ${errnoText(-result)} (${errnoName(-result)})`, {
    op: "ffi.netlink",
    code: errnoName(-result) === "EPERM" ? "not-permitted" : "failed",
  });
}
