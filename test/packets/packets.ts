/** IPv4 packets for tests, built byte by byte from the RFCs: no code in common with the product. */
import { addressesOf, headerOf, isIpv6, protocolOf } from "./headers.ts";

export interface Ip {
  readonly source?: readonly number[];
  readonly destination?: readonly number[];
  readonly tos?: number;
  readonly id?: number;
  /** The word of the flags (0x8000, DF 0x4000, MF 0x2000) and the offset in 8 bytes. */
  readonly fragment?: number;
  readonly ttl?: number;
  /** Padded with 0 (end of list) to a multiple of 4; at most 40 bytes. */
  readonly options?: Uint8Array;
}

export const DF = 0x4000;
export const MF = 0x2000;

export interface Tcp extends Ip {
  readonly from?: number;
  readonly to?: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly flags?: number;
  readonly window?: number;
  readonly urgent?: number;
  readonly tcpOptions?: Uint8Array;
}

export const FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10, URG = 0x20, ECE = 0x40, CWR = 0x80;

export interface Udp extends Ip {
  readonly from?: number;
  readonly to?: number;
  /** 0 in the checksum: the sender did without. */
  readonly unchecked?: boolean;
}

/** An IPv4 packet (RFC 791, 3.1). */
export function ipv4(protocol: number, payload: Uint8Array, ip: Ip = {}): Uint8Array {
  const options = padded(ip.options);
  const header = 20 + options.length;
  const packet = new Uint8Array(header + payload.length);
  const view = new DataView(packet.buffer);
  packet.set([0x40 | header / 4, ip.tos ?? 0]);
  view.setUint16(2, packet.length);
  view.setUint16(4, ip.id ?? 0x1234);
  view.setUint16(6, ip.fragment ?? DF);
  packet.set([ip.ttl ?? 63, protocol], 8);
  packet.set(ip.source ?? [10, 244, 2, 7], 12);
  packet.set(ip.destination ?? [10, 244, 1, 5], 16);
  packet.set(options, 20);
  view.setUint16(10, checksumOf(packet.subarray(0, header)));
  packet.set(payload, header);
  return packet;
}

/** A TCP segment (RFC 9293, 3.1) with a right checksum. */
export function tcp(payload: Uint8Array, fields: Tcp = {}): Uint8Array {
  const options = padded(fields.tcpOptions);
  const header = 20 + options.length;
  const segment = new Uint8Array(header + payload.length);
  const view = new DataView(segment.buffer);
  view.setUint16(0, fields.from ?? 40000);
  view.setUint16(2, fields.to ?? 80);
  view.setUint32(4, fields.sequence ?? 1000);
  view.setUint32(8, fields.acknowledgement ?? 77);
  segment.set([header / 4 << 4, fields.flags ?? ACK], 12);
  view.setUint16(14, fields.window ?? 500);
  view.setUint16(18, fields.urgent ?? 0);
  segment.set(options, 20);
  segment.set(payload, header);
  return withTransportChecksum(ipv4(6, segment, fields));
}

/** A UDP datagram (RFC 768) with a right checksum, or none. */
export function udp(payload: Uint8Array, fields: Udp = {}): Uint8Array {
  const datagram = new Uint8Array(8 + payload.length);
  const view = new DataView(datagram.buffer);
  view.setUint16(0, fields.from ?? 40000);
  view.setUint16(2, fields.to ?? 53);
  view.setUint16(4, datagram.length);
  datagram.set(payload, 8);
  const packet = ipv4(17, datagram, fields);
  return fields.unchecked ? packet : withTransportChecksum(packet);
}

/** An ICMP message (RFC 792). */
export function icmp(type: number, code: number, rest: Uint8Array, ip: Ip = {}): Uint8Array {
  const message = new Uint8Array(4 + rest.length);
  message.set([type, code]);
  message.set(rest, 4);
  new DataView(message.buffer).setUint16(2, checksumOf(message));
  return ipv4(1, message, ip);
}

function padded(options: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(options.length / 4) * 4);
  bytes.set(options);
  return bytes;
}

/** RFC 1071, byte pair by byte pair. */
export function checksumOf(...pieces: readonly Uint8Array[]): number {
  let sum = 0;
  for (const piece of pieces) {
    for (let i = 0; i < piece.length; i += 2) sum += piece[i]! * 256 + (piece[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = sum % 0x10000 + Math.floor(sum / 0x10000);
  return 0xffff - sum;
}

/** The pseudo header (RFC 9293, 3.1; RFC 768; RFC 8200, 8.1): addresses, protocol, length of what is behind the headers. */
export function pseudoHeader(packet: Uint8Array): Uint8Array {
  const length = packet.length - headerOf(packet);
  const size = [length >> 8, length & 255];
  const rest = isIpv6(packet)
    ? [0, 0, ...size, 0, 0, 0, protocolOf(packet)]
    : [0, protocolOf(packet), ...size];
  return new Uint8Array([...addressesOf(packet), ...rest]);
}

/** Where the checksum of TCP or UDP stands. */
export function checksumField(packet: Uint8Array): number {
  return headerOf(packet) + (protocolOf(packet) === 6 ? 16 : 6);
}

/** A copy with the right checksum of TCP or UDP. */
export function withTransportChecksum(packet: Uint8Array): Uint8Array {
  const copy = new Uint8Array(packet);
  const view = new DataView(copy.buffer);
  view.setUint16(checksumField(copy), 0);
  const sum = checksumOf(pseudoHeader(copy), copy.subarray(headerOf(copy)));
  view.setUint16(checksumField(copy), sum === 0 && protocolOf(copy) === 17 ? 0xffff : sum);
  return copy;
}

/** A copy with the right checksum of the IPv4 header; IPv6 has none. */
export function withHeaderChecksum(packet: Uint8Array): Uint8Array {
  const copy = new Uint8Array(packet);
  if (isIpv6(copy)) return copy;
  const view = new DataView(copy.buffer);
  view.setUint16(10, 0);
  view.setUint16(10, checksumOf(copy.subarray(0, headerOf(copy))));
  return copy;
}

export const word = (bytes: Uint8Array, at: number): number => bytes[at]! * 256 + bytes[at + 1]!;

/** A copy with two bytes changed. */
export function withWord(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  new DataView(copy.buffer).setUint16(at, value);
  return copy;
}

/** A copy with one byte changed. */
export function withByte(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  copy[at] = value;
  return copy;
}

/** Bytes that differ from place to place, the same for the same seed (a linear congruential generator). */
export function filler(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}
