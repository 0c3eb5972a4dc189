/** The packet functions of the C library, as functions from bytes to bytes. Each works on copies. */
import { build } from "../../tasks/build.ts";

const { path } = await build("test");

const opened = Deno.dlopen(path, {
  /** enum packet_fault packet_check(uint32_t family, const uint8_t *, size_t) */
  packet_check: { parameters: ["u32", "buffer", "usize"], result: "u32" },
  /** void packet_decrement_ttl(uint8_t *), void packet_set_checksum(uint8_t *) */
  packet_decrement_ttl: { parameters: ["buffer"], result: "void" },
  packet_set_checksum: { parameters: ["buffer"], result: "void" },
  /** uint64_t checksum_add(uint64_t, const uint8_t *, size_t); uint16_t checksum_fold(uint64_t) */
  checksum_add: { parameters: ["u64", "buffer", "usize"], result: "u64" },
  checksum_fold: { parameters: ["u64"], result: "u16" },
  /** uint32_t fragment_next(uint8_t *, uint32_t, const uint8_t *, uint32_t *) */
  fragment_next: { parameters: ["buffer", "u32", "buffer", "buffer"], result: "u32" },
  /** bool icmp_allowed(struct icmp_limiter *, uint64_t) */
  icmp_allowed: { parameters: ["buffer", "u64"], result: "bool" },
  shim_split: { parameters: ["buffer", "buffer", "u32", "buffer", "usize"], result: "i64" },
  shim_join: { parameters: ["u32", "buffer", "usize", "buffer", "usize"], result: "usize" },
  shim_icmp: { parameters: ["buffer", "u32", "u32", "buffer", "buffer", "u32"], result: "u32" },
}).symbols;

export const faults = ["ok", "short", "version", "header length", "total length", "checksum", "ttl"] as const;
export type Fault = (typeof faults)[number];

export type Family = 4 | 6;

export function check(bytes: Uint8Array, family: Family = 4): Fault {
  return faults[opened.packet_check(family, new Uint8Array(bytes), BigInt(bytes.length))]!;
}

export function decrementTtl(packet: Uint8Array): Uint8Array {
  const copy = new Uint8Array(packet);
  opened.packet_decrement_ttl(copy);
  return copy;
}

export function setChecksum(packet: Uint8Array): Uint8Array {
  const copy = new Uint8Array(packet);
  opened.packet_set_checksum(copy);
  return copy;
}

/** The checksum as the number that its two bytes are on the wire. */
export function checksum(...pieces: readonly Uint8Array[]): number {
  const sum = pieces.reduce(
    (sum, piece) => opened.checksum_add(sum, new Uint8Array(piece), BigInt(piece.length)),
    0n,
  );
  const stored = new Uint8Array(new Uint16Array([opened.checksum_fold(sum)]).buffer);
  return stored[0]! << 8 | stored[1]!;
}

/** struct virtio_net_hdr (linux/virtio_net.h), in the host's byte order. */
export interface Offload {
  readonly flags: number;
  readonly type: number;
  readonly headers: number;
  readonly size: number;
  readonly start: number;
  readonly offset: number;
}

export const NEEDS_CHECKSUM = 1;
export const TCP4 = 1;
export const TCP6 = 4;
export const UDP_L4 = 5;
export const ECN = 0x80;

export function offloadBytes({ flags, type, headers, size, start, offset }: Offload): Uint8Array {
  const bytes = new Uint8Array(10);
  const view = new DataView(bytes.buffer);
  bytes.set([flags, type]);
  [headers, size, start, offset].forEach((value, i) => view.setUint16(2 + 2 * i, value, true));
  return bytes;
}

function offloadOf(bytes: Uint8Array): Offload {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 10);
  const [headers, size, start, offset] = [2, 4, 6, 8].map((at) => view.getUint16(at, true)) as number[];
  return {
    flags: bytes[0]!,
    type: bytes[1]!,
    headers: headers!,
    size: size!,
    start: start!,
    offset: offset!,
  };
}

/** The packets that go on the wire for one of the TUN's, or undefined where it is refused. */
export function split(offload: Offload, packet: Uint8Array): Uint8Array[] | undefined {
  const segments = Math.ceil(packet.length / Math.max(1, offload.size)) + 1;
  const out = new Uint8Array(offload.type === 0 ? packet.length + 4 : packet.length + segments * 196);
  const length = opened.shim_split(
    offloadBytes(offload) as Uint8Array<ArrayBuffer>,
    new Uint8Array(packet),
    packet.length,
    out,
    BigInt(out.length),
  );
  return length < 0n ? undefined : fromRecords(out.subarray(0, Number(length)));
}

/** What is written to the TUN at once. */
export interface Frame {
  /** How many packets it stands for. */
  readonly count: number;
  readonly offload: Offload;
  readonly packet: Uint8Array;
}

const JOIN_TCP = 1, JOIN_UDP = 2, UNDO = 4;
export interface Joining {
  readonly tcp?: boolean;
  readonly udp?: boolean;
}
const joins = ({ tcp = true, udp = true }: Joining) => (tcp ? JOIN_TCP : 0) | (udp ? JOIN_UDP : 0);

export function join(packets: readonly Uint8Array[], joining: Joining = {}): Frame[] {
  const bytes = joined(packets, joins(joining));
  const view = new DataView(bytes.buffer);
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = view.getUint32(at + 14, true);
    frames.push({
      count: view.getUint32(at, true),
      offload: offloadOf(bytes.subarray(at + 4, at + 14)),
      packet: bytes.slice(at + 18, at + 18 + length),
    });
    at += 18 + length;
  }
  return frames;
}

/** The packets after being joined and taken apart again. */
export function joinAndUndo(packets: readonly Uint8Array[], joining: Joining = {}): Uint8Array[] {
  return fromRecords(joined(packets, joins(joining) | UNDO));
}

function joined(packets: readonly Uint8Array[], what: number): Uint8Array<ArrayBuffer> {
  const records = toRecords(packets);
  const out = new Uint8Array(records.length + packets.length * 20);
  const length = opened.shim_join(what, records, BigInt(records.length), out, BigInt(out.length));
  return out.slice(0, Number(length));
}

function toRecords(packets: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const records = new Uint8Array(packets.reduce((sum, packet) => sum + 4 + packet.length, 0));
  const view = new DataView(records.buffer);
  let at = 0;
  for (const packet of packets) {
    view.setUint32(at, packet.length, true);
    records.set(packet, at + 4);
    at += 4 + packet.length;
  }
  return records;
}

function fromRecords(records: Uint8Array): Uint8Array[] {
  const view = new DataView(records.buffer, records.byteOffset, records.length);
  const packets: Uint8Array[] = [];
  for (let at = 0; at < records.length;) {
    const length = view.getUint32(at, true);
    packets.push(records.slice(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return packets;
}

/** All fragments of a packet, none longer than `most`, until nothing fits or nothing is left. */
export function fragment(packet: Uint8Array, most: number): Uint8Array[] {
  const copy = new Uint8Array(packet);
  const offset = new Uint32Array(1);
  const fragments: Uint8Array[] = [];
  for (;;) {
    const out = new Uint8Array(Math.max(60, most));
    const length = opened.fragment_next(out, most, copy, offset);
    if (length === 0) return fragments;
    fragments.push(out.slice(0, length));
  }
}

/** enum icmp_reason, in its order. */
export const icmpReasons = ["net unreachable", "host unreachable", "too big", "time exceeded"] as const;
export type IcmpReason = (typeof icmpReasons)[number];

export interface IcmpError {
  readonly reason: IcmpReason;
  readonly mtu: number;
  /** Four bytes, or sixteen for a packet of IPv6. */
  readonly source: readonly number[];
}

/** The error about a packet, or undefined where none may be sent. */
export function icmpError(
  { reason, mtu, source }: IcmpError,
  packet: Uint8Array,
): Uint8Array | undefined {
  const address = new Uint8Array(16);
  address.set(source);
  const out = new Uint8Array(1280);
  const length = opened.shim_icmp(
    out,
    icmpReasons.indexOf(reason),
    mtu,
    address,
    new Uint8Array(packet),
    packet.length,
  );
  return length === 0 ? undefined : out.slice(0, length);
}

/** A limiter of ICMP errors: says of each moment, in nanoseconds, whether one may be sent. */
export function icmpLimiter(): (now: bigint) => boolean {
  const state = new BigUint64Array(2);
  return (now) => opened.icmp_allowed(state, now);
}
