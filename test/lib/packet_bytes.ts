/** IPv4 packets as bytes, built and judged for tests from the RFCs alone: no code in common with the product. */

export interface Ipv4 {
  readonly source: string;
  readonly destination: string;
  /** 64 where it is left out. */
  readonly ttl?: number;
  /** RFC 790: 1 is ICMP, 6 TCP, 17 UDP. */
  readonly protocol: number;
  readonly payload: Uint8Array;
}

/** An IPv4 packet without options (RFC 791). */
export function ipv4({ source, destination, ttl = 64, protocol, payload }: Ipv4): Uint8Array {
  const packet = new Uint8Array(20 + payload.length);
  const view = new DataView(packet.buffer);
  packet.set([0x45, 0], 0);
  view.setUint16(2, packet.length);
  packet.set([ttl, protocol], 8);
  packet.set(octets(source), 12);
  packet.set(octets(destination), 16);
  view.setUint16(10, checksum(packet.subarray(0, 20)));
  packet.set(payload, 20);
  return packet;
}

export interface Udp {
  readonly source: string;
  readonly destination: string;
  readonly ttl?: number;
  /** The ports; both are `port` where `from` is left out. */
  readonly from?: number;
  readonly port: number;
  readonly payload: Uint8Array;
}

/** A UDP datagram (RFC 768) in an IPv4 packet. */
export function udp({ port, from = port, payload, ...ends }: Udp): Uint8Array {
  const datagram = new Uint8Array(8 + payload.length);
  const view = new DataView(datagram.buffer);
  [from, port, datagram.length].forEach((value, i) => view.setUint16(2 * i, value));
  datagram.set(payload, 8);
  view.setUint16(6, transportChecksum(ipv4({ ...ends, protocol: 17, payload: datagram })) || 0xffff);
  return ipv4({ ...ends, protocol: 17, payload: datagram });
}

/** An ICMP message (RFC 792) in an IPv4 packet; `rest` is what follows the checksum. */
export function icmp(
  ends: { source: string; destination: string; ttl?: number },
  { type, code, rest }: { type: number; code: number; rest: Uint8Array },
): Uint8Array {
  const message = Uint8Array.of(type, code, 0, 0, ...rest);
  new DataView(message.buffer).setUint16(2, checksum(message));
  return ipv4({ ...ends, protocol: 1, payload: message });
}

/** What is wrong with a packet as it came from the wire: lengths and checksums. */
export function faultsOf(packet: Uint8Array): string[] {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const header = (packet[0]! & 15) * 4;
  const isFragment = (view.getUint16(6) & 0x3fff) !== 0;
  const faults: (string | false)[] = [
    packet[0]! >> 4 !== 4 && "version",
    view.getUint16(2) !== packet.length && "total length",
    checksum(packet.subarray(0, header)) !== 0 && "header checksum",
  ];
  if (!isFragment && packet[9] === 1) {
    faults.push(checksum(packet.subarray(header)) !== 0 && "ICMP checksum");
  }
  if (!isFragment && (packet[9] === 6 || packet[9] === 17)) {
    faults.push(transportChecksum(packet) !== 0 && "transport checksum");
  }
  return faults.filter((one) => one !== false);
}

/** Over a TCP or UDP segment with its pseudo header: 0 where the checksum in it is right. */
function transportChecksum(packet: Uint8Array): number {
  const header = (packet[0]! & 15) * 4;
  const segment = packet.subarray(header);
  const pseudo = Uint8Array.of(
    ...packet.subarray(12, 20),
    0,
    packet[9]!,
    segment.length >> 8,
    segment.length & 255,
  );
  return checksum(pseudo, segment);
}

/** RFC 1071; every piece but the last has an even length. */
function checksum(...pieces: readonly Uint8Array[]): number {
  let sum = 0;
  for (const piece of pieces) {
    for (let i = 0; i < piece.length; i += 2) sum += piece[i]! << 8 | (piece[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

function octets(address: string): number[] {
  return address.split(".").map(Number);
}
