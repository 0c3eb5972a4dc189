/** UDP and raw sockets and their addresses: man 7 udp, man 7 raw. */
import { addressBytes, addressText } from "./bytes.ts";
import {
  bind,
  closeFd,
  setsockopt,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  socket,
  SOL_SOCKET,
} from "./libc.ts";

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SO_REUSEPORT = 15;
/** Packets are sent with the header they bring (raw(7)); nothing is received. */
const IPPROTO_RAW = 255;
const IPPROTO_ICMP = 1;

export interface UdpAddress {
  readonly address: string;
  /** 1 to 65535. */
  readonly port: number;
  /** Whether other sockets of this user may be bound there too (SO_REUSEPORT), for several queues. */
  readonly shared: boolean;
}

/** A UDP socket that is bound, non-blocking and close-on-exec: a descriptor, or `-errno`. */
export function openUdpSocket({ address, port, shared }: UdpAddress): number {
  const fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fd;
  const reuse = shared ? setsockopt(fd, { level: SOL_SOCKET, name: SO_REUSEPORT, value: 1 }) : 0;
  const result = reuse < 0 ? reuse : bind(fd, socketAddress(address, port));
  if (result >= 0) return fd;
  closeFd(fd);
  return result;
}

/** A raw IPv4 socket that can only send, non-blocking and close-on-exec: a descriptor, or `-errno`. */
export function openRawSocket(): number {
  return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
}

/** A raw socket for ICMP messages, which come in with their IPv4 headers: a descriptor, or `-errno`. */
export function openIcmpSocket(): number {
  return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
}

/** struct sockaddr_in { u16 family; u16 port (network order); u32 address; u8 zero[8]; } */
export function socketAddress(address: string, port: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  bytes.set(addressBytes(address), 4);
  return bytes;
}

/** What stands in a struct sockaddr_in that the kernel filled. */
export function addressIn(bytes: Uint8Array): { address: string; port: number } {
  return { address: addressText(bytes.subarray(4, 8)), port: bytes[2]! * 256 + bytes[3]! };
}
