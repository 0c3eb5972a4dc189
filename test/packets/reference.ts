/** What the C library's packet functions must compute, slowly and from the RFCs. */
import { headerOf, isIpv6, protocolOf, upperOf } from "./headers.ts";
import {
  checksumField,
  checksumOf,
  pseudoHeader,
  withHeaderChecksum,
  withTransportChecksum,
  word,
} from "./packets.ts";
import type { Fault, IcmpError, IcmpReason, Offload } from "./library.ts";

/** RFC 8200, section 3, for a forwarder of IPv6: what is wrong with a packet, the first of several. */
export function referenceCheck6(bytes: Uint8Array): Fault {
  if (bytes.length < 40) return "short";
  if (bytes[0]! >> 4 !== 6) return "version";
  if (word(bytes, 4) !== bytes.length - 40) return "total length";
  return bytes[7]! < 2 ? "ttl" : "ok";
}

/** RFC 1812, 5.2.2, for one of IPv4. */
export function referenceCheck(bytes: Uint8Array): Fault {
  if (bytes.length < 20) return "short";
  if (bytes[0]! >> 4 !== 4) return "version";
  const header = headerOf(bytes);
  if (header < 20 || header > bytes.length) return "header length";
  if (word(bytes, 2) !== bytes.length) return "total length";
  if (checksumOf(bytes.subarray(0, header)) !== 0) return "checksum";
  return bytes[8]! < 2 ? "ttl" : "ok";
}

const FIN = 1, PSH = 8, CWR = 0x80;

/**
 * The packets of a super-packet, as a sender without offloads makes them: the sequence number and the IPv4
 * identification go on, FIN and PSH are the last one's, CWR the first one's (RFC 3168, 6.1.2).
 */
export function referenceSplit({ type, size }: Offload, packet: Uint8Array): Uint8Array[] {
  if (type === 0) return [withTransportChecksum(packet)];
  const ip = headerOf(packet);
  const isTcp = protocolOf(packet) === 6;
  const headers = ip + (isTcp ? (packet[ip + 12]! >> 4) * 4 : 8);
  const payload = packet.subarray(headers);
  const count = Math.max(1, Math.ceil(payload.length / size));
  return Array.from({ length: count }, (_, i) => {
    const part = payload.subarray(i * size, (i + 1) * size);
    const segment = new Uint8Array(headers + part.length);
    const view = new DataView(segment.buffer);
    segment.set(packet.subarray(0, headers));
    segment.set(part, headers);
    if (isIpv6(packet)) {
      view.setUint16(4, segment.length - 40);
    } else {
      view.setUint16(2, segment.length);
      view.setUint16(4, (word(packet, 4) + i) % 0x10000);
    }
    if (isTcp) {
      view.setUint32(ip + 4, (view.getUint32(ip + 4) + i * size) % 2 ** 32);
      const gone = (i > 0 ? CWR : 0) | (i < count - 1 ? FIN | PSH : 0);
      segment[ip + 13]! &= ~gone;
    } else {
      view.setUint16(ip + 4, segment.length - ip);
    }
    return withHeaderChecksum(withTransportChecksum(segment));
  });
}

/** Whether the TCP or UDP checksum of a whole packet is right, or UDP's was left out. */
export function isIntact(packet: Uint8Array): boolean {
  if (protocolOf(packet) === 17 && word(packet, checksumField(packet)) === 0) return true;
  return checksumOf(pseudoHeader(packet), packet.subarray(headerOf(packet))) === 0;
}

/** The options of a header without padding, one by one, up to the first that cannot be read (RFC 791, 3.1). */
export function optionsOf(packet: Uint8Array): Uint8Array[] {
  const options: Uint8Array[] = [];
  for (let at = 20; at < headerOf(packet) && packet[at] !== 0;) {
    const length = packet[at] === 1 ? 1 : at + 1 < headerOf(packet) ? packet[at + 1]! : 0;
    if (length === 0 || (length === 1 && packet[at] !== 1) || at + length > headerOf(packet)) break;
    if (packet[at] !== 1) options.push(packet.slice(at, at + length));
    at += length;
  }
  return options;
}

/** The packet that fragments were cut from, put together as RFC 791, 3.2 says. Throws where they do not fit. */
export function reassemble(fragments: readonly Uint8Array[]): Uint8Array {
  const first = fragments[0]!;
  const begin = (word(first, 6) & 0x1fff) * 8;
  const header = first.subarray(0, headerOf(first));
  const pieces = [header];
  let end = begin;
  for (const fragment of fragments) {
    const at = (word(fragment, 6) & 0x1fff) * 8;
    if (at !== end) throw new Error(`a fragment begins at ${at} instead of ${end}`);
    pieces.push(fragment.subarray(headerOf(fragment)));
    end += fragment.length - headerOf(fragment);
  }
  const packet = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    packet.set(piece, at);
    at += piece.length;
  }
  const view = new DataView(packet.buffer);
  view.setUint16(2, packet.length);
  const more = word(fragments.at(-1)!, 6) & 0x2000;
  view.setUint16(6, word(first, 6) & ~0x2000 | more);
  return withHeaderChecksum(packet);
}

/** ICMP messages that are errors (RFC 1122, 3.2.2). */
const icmpErrors = [3, 4, 5, 11, 12];

/** RFC 4443, 2.4 (e), and no error to a link-local address, of which link nobody knows. */
function mayBeTold6(packet: Uint8Array): boolean {
  const [source, destination] = [packet.subarray(8, 24), packet.subarray(24, 40)];
  const upper = upperOf(packet);
  const isLinkLocal = source[0] === 0xfe && source[1]! >> 6 === 2;
  const isNobody = source.subarray(0, 15).every((byte) => byte === 0) && source[15]! < 2;
  if (upper === undefined || source[0] === 255 || destination[0] === 255 || isLinkLocal || isNobody) {
    return false;
  }
  if (upper.protocol !== 58) return true;
  // Errors have the types up to 127; 137 is a redirect.
  return upper.offset === 0 && packet[upper.at]! > 127 && packet[upper.at] !== 137;
}

/** RFC 1812, 4.3.2.7: whether an ICMP error about a packet may be sent. */
export function mayBeTold(packet: Uint8Array): boolean {
  if (isIpv6(packet)) return mayBeTold6(packet);
  const [source, destination] = [packet[12]!, packet[16]!];
  if ((word(packet, 6) & 0x1fff) !== 0) return false;
  if (source === 0 || source === 127 || source >= 224 || destination >= 224) return false;
  return packet[9] !== 1 || !icmpErrors.includes(packet[headerOf(packet)]!);
}

/** Type and code: RFC 792, RFC 4443. */
const types: Readonly<Record<IcmpReason, { 4: readonly [number, number]; 6: readonly [number, number] }>> = {
  "net unreachable": { 4: [3, 0], 6: [1, 0] },
  "host unreachable": { 4: [3, 1], 6: [1, 3] },
  "too big": { 4: [3, 4], 6: [2, 0] },
  "time exceeded": { 4: [11, 0], 6: [3, 0] },
};

/** RFC 4443, 3: as much of the packet as fits into the least MTU. */
function referenceIcmp6({ reason, mtu, source }: IcmpError, packet: Uint8Array): Uint8Array {
  const quoted = packet.subarray(0, 1280 - 48);
  const message = new Uint8Array(48 + quoted.length);
  const view = new DataView(message.buffer);
  message[0] = 0x60;
  view.setUint16(4, message.length - 40);
  message[6] = 58;
  message.set(source, 8);
  message.set(packet.subarray(8, 24), 24);
  message.set(types[reason][6], 40);
  view.setUint32(44, mtu);
  message.set(quoted, 48);
  view.setUint16(42, checksumOf(pseudoHeader(message), message.subarray(40)));
  return message;
}

/** The ICMP error itself, but for what a router may choose (ToS, identification, TTL), which are 0. */
export function referenceIcmp(error: IcmpError, packet: Uint8Array): Uint8Array {
  if (isIpv6(packet)) return referenceIcmp6(error, packet);
  const { reason, mtu, source } = error;
  const quoted = packet.subarray(0, 576 - 28);
  const message = new Uint8Array(28 + quoted.length);
  const view = new DataView(message.buffer);
  message.set([0x45, 0, message.length >> 8, message.length & 255]);
  message[9] = 1;
  message.set(source, 12);
  message.set(packet.subarray(12, 16), 16);
  message.set(types[reason][4], 20);
  view.setUint16(26, mtu);
  message.set(quoted, 28);
  view.setUint16(22, checksumOf(message.subarray(20)));
  return withHeaderChecksum(message);
}
