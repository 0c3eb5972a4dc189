/** UDP and raw sockets and their addresses: man 7 udp, man 7 raw, man 7 ipv6. */
import { type Family, familyOf } from "../net/ip.ts";
import { addressBytes, addressText } from "./bytes.ts";
import {
  bind,
  closeFd,
  setsockopt,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  socket,
  type SocketOption,
  SOL_SOCKET,
} from "./libc.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SO_REUSEPORT = 15;
/** Packets are sent with the header they bring (raw(7)); nothing is received. */
const IPPROTO_RAW = 255;
const IPPROTO_ICMP = 1;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_IPV6 = 41;
/** linux/in6.h. The port is free for IPv4, which has a socket of its own. */
const IPV6_V6ONLY = 26;

export interface UdpAddress {
  readonly address: string;
  /** 1 to 65535. */
  readonly port: number;
  /** Whether other sockets of this user may be bound there too (SO_REUSEPORT), for several queues. */
  readonly shared: boolean;
  /** What else is set before it is bound. */
  readonly options?: readonly SocketOption[];
}

/** A UDP socket that is bound, non-blocking and close-on-exec: a descriptor, or `-errno`. */
export function openUdpSocket({ address, port, shared, options: more = [] }: UdpAddress): number {
  const family = familyOf(address);
  const fd = socket(domainOf(family), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fd;
  const options = [
    ...(shared ? [{ level: SOL_SOCKET, name: SO_REUSEPORT, value: 1 }] : []),
    ...(family === 6 ? [{ level: IPPROTO_IPV6, name: IPV6_V6ONLY, value: 1 }] : []),
    ...more,
  ];
  for (const option of options) {
    const result = setsockopt(fd, option);
    if (result < 0) return closed(fd, result);
  }
  const result = bind(fd, socketAddress(address, port));
  return result < 0 ? closed(fd, result) : fd;
}

function domainOf(family: Family): number {
  return family === 6 ? AF_INET6 : AF_INET;
}

function closed(fd: number, result: number): number {
  closeFd(fd);
  return result;
}

/** A raw socket that can only send, non-blocking and close-on-exec: a descriptor, or `-errno`. */
export function openRawSocket(family: Family): number {
  return socket(domainOf(family), SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
}

/**
 * A raw socket for messages of ICMP or ICMPv6: a descriptor, or `-errno`. Those of ICMP come in with their IPv4 headers,
 * those of ICMPv6 without any, and the kernel fills in the checksum of what is sent (RFC 3542, 3.1).
 */
export function openIcmpSocket(family: Family): number {
  const protocol = family === 6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
  return socket(domainOf(family), SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
}

/** Bytes of the larger one of both families' socket addresses. */
export const SOCKET_ADDRESS_BYTES = 28;

/**
 * struct sockaddr_in { u16 family; u16 port (network order); u32 address; u8 zero[8]; }, or
 * struct sockaddr_in6 { u16 family; u16 port (network order); u32 flowinfo; u8 address[16]; u32 scope_id; }
 */
export function socketAddress(address: string, port: number): Uint8Array<ArrayBuffer> {
  const family = familyOf(address);
  const bytes = new Uint8Array(family === 6 ? SOCKET_ADDRESS_BYTES : 16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, domainOf(family), true);
  view.setUint16(2, port);
  bytes.set(addressBytes(address), family === 6 ? 8 : 4);
  return bytes;
}

/** What stands in a struct sockaddr_in or sockaddr_in6 that the kernel filled. */
export function addressIn(bytes: Uint8Array): { address: string; port: number } {
  const address = bytes[0] === AF_INET6 ? bytes.subarray(8, 24) : bytes.subarray(4, 8);
  return { address: addressText(address), port: bytes[2]! * 256 + bytes[3]! };
}
