/**
 * IPv4 packets as IPv6 ones, as a translator makes them (RFC 7915), so that what is tested with the ones is tested with
 * the others: ToS becomes the traffic class, fragments get a fragment header, options a header of destination options,
 * ICMP of the types that both have becomes ICMPv6. DF and the identification are gone.
 */
import { headerOf, upperOf } from "./headers.ts";
import { checksumField, checksumOf, pseudoHeader, withTransportChecksum, withWord, word } from "./packets.ts";
import { isIntact } from "./reference.ts";

/** fd00:10:244:0:: with the four bytes at its end: subnets of /120 are what those of /24 are. */
export const translatedAddress = (address: ArrayLike<number>): number[] => [
  ...[0xfd, 0, 0, 0x10, 2, 0x44, 0, 0, 0, 0, 0, 0],
  ...Array.from(address),
];

const TCP = 6, UDP = 17;
const icmpTypes: Readonly<Record<number, number>> = { 0: 129, 3: 1, 8: 128, 11: 3 };

/** An IPv6 packet (RFC 8200, section 3) of the header that follows and what is behind that. */
export function ipv6(
  next: number,
  payload: Uint8Array,
  { source, destination, trafficClass = 0, label = 0, hopLimit = 63 }: {
    readonly source?: readonly number[];
    readonly destination?: readonly number[];
    readonly trafficClass?: number;
    readonly label?: number;
    readonly hopLimit?: number;
  } = {},
): Uint8Array {
  const packet = new Uint8Array(40 + payload.length);
  const view = new DataView(packet.buffer);
  view.setUint32(0, (6 << 28 | trafficClass << 20 | label) >>> 0);
  view.setUint16(4, payload.length);
  packet.set([next, hopLimit], 6);
  packet.set(source ?? translatedAddress([10, 244, 2, 7]), 8);
  packet.set(destination ?? translatedAddress([10, 244, 1, 5]), 24);
  packet.set(payload, 40);
  return packet;
}

/** An extension header of options, or of anything whose length stands like theirs: 8 bytes or a multiple. */
export function extension(next: number, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((2 + content.length) / 8) * 8);
  bytes.set([next, bytes.length / 8 - 1, ...content]);
  return bytes;
}

/** RFC 8200, 4.5. `offset` in units of 8 bytes. */
export function fragmentHeader(next: number, offset: number, more: boolean): Uint8Array {
  const word = offset << 3 | (more ? 1 : 0);
  return new Uint8Array([next, 0, word >> 8, word & 255, 0, 0, 0, 9]);
}

/** An ICMPv6 message with a right checksum (RFC 4443, 2.1). */
export function icmp6(
  type: number,
  code: number,
  rest: Uint8Array,
  fields: Parameters<typeof ipv6>[2] = {},
): Uint8Array {
  const packet = ipv6(58, new Uint8Array([type, code, 0, 0, ...rest]), fields);
  return withWord(packet, 42, checksumOf(pseudoHeader(packet), packet.subarray(40)));
}

/** The packet as one of IPv6; damaged checksums stay damaged. */
export function translated(packet: Uint8Array): Uint8Array {
  const { protocol, at, offset, isFragment } = upperOf(packet)!;
  const payload = packet.subarray(at);
  const fields = {
    source: translatedAddress(packet.subarray(12, 16)),
    destination: translatedAddress(packet.subarray(16, 20)),
    trafficClass: packet[1]!,
    hopLimit: packet[8]!,
  };
  if (protocol === 1 && !isFragment && payload.length >= 4 && at === 20) {
    return icmp6(icmpTypes[payload[0]!] ?? payload[0]!, payload[1]!, payload.subarray(4), fields);
  }
  let [next, bytes] = [protocol, payload];
  if (isFragment) {
    bytes = new Uint8Array([...fragmentHeader(next, offset, (word(packet, 6) & 0x2000) !== 0), ...bytes]);
    next = 44;
  }
  if (at > 20) {
    bytes = new Uint8Array([...extension(next, packet.subarray(20, at)), ...bytes]);
    next = 60;
  }
  return withItsChecksum(packet, ipv6(next, bytes, fields));
}

function withItsChecksum(before: Uint8Array, after: Uint8Array): Uint8Array {
  const upper = upperOf(before)!;
  const hasOne = (upper.protocol === TCP || upper.protocol === UDP) && !upper.isFragment &&
    checksumField(before) + 2 <= before.length;
  if (!hasOne || (upper.protocol === UDP && word(before, checksumField(before)) === 0)) return after;
  const right = withTransportChecksum(after);
  if (isIntact(before)) return right;
  const wrong = new Uint8Array(right);
  wrong[headerOf(right) + 4]! ^= 1;
  return wrong;
}
