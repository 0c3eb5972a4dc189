/**
 * What hosts say to one another to find out how packets get through: datagrams of a fixed head, in network order.
 *
 *     0  "flan"   4  version   5  kind   6  flags   7  0   8  token (8 bytes)   16  round (4 bytes)   20  body
 *
 * A probe's body is padding up to the size under test; its reply has none, so that each direction is measured for
 * itself. Nobody can be made to send more than came in: every answer is no larger than what it answers. Addresses are
 * those of the family by which the packet goes.
 */
import { type Family, formatIp, ipFromBytes, ipToBytes, parseIp } from "../net/ip.ts";

/** Bytes of the head. */
export const HEAD = 20;
/** An IP header (RFC 791, 8200). */
export const IP_HEADER: PerFamily = { 4: 20, 6: 40 };
/** That and a UDP, an ICMP or an ICMPv6 header (RFC 768, 792, 4443): what a packet has beside its payload. */
export const HEADERS: PerFamily = { 4: IP_HEADER[4] + 8, 6: IP_HEADER[6] + 8 };
/** The smallest packet that a probe fits into, headers and all. */
export const SMALLEST_PROBE: PerFamily = { 4: HEAD + HEADERS[4], 6: HEAD + HEADERS[6] };
/**
 * Of a question and its answer together with their headers: what every IPv4 host must accept (RFC 791). Also for IPv6:
 * they must get through where larger packets vanish.
 */
const QUESTION_PACKET = 576;
const QUESTION_BYTES: PerFamily = { 4: QUESTION_PACKET - HEADERS[4], 6: QUESTION_PACKET - HEADERS[6] };
const ADDRESS_BYTES: PerFamily = { 4: 4, 6: 16 };
/** Of a result beside its address. */
const NUMBERS_BYTES = 20;
/** How many targets a question can name, and how many results an answer can hold. */
export const MAX_TARGETS: PerFamily = { 4: maxTargets(4), 6: maxTargets(6) };
export const PAGE: PerFamily = { 4: page(4), 6: page(6) };

type PerFamily = Readonly<Record<Family, number>>;

function maxTargets(family: Family): number {
  return Math.floor((QUESTION_BYTES[family] - HEAD - 4) / ADDRESS_BYTES[family]);
}

function page(family: Family): number {
  return Math.floor((QUESTION_BYTES[family] - HEAD - 8) / resultBytes(family));
}

function resultBytes(family: Family): number {
  return ADDRESS_BYTES[family] + NUMBERS_BYTES;
}

const MAGIC = 0x666c616e;
const VERSION = 1;
const kinds = ["", "probe", "reply", "question", "answer"] as const;
const states = ["working", "done", "busy", "refused"] as const;
const ways = ["udp", "icmp"] as const;

/** What a sender makes up so that nobody who has not seen its packet can answer it: 16 hex digits. */
export type Token = string;

interface Common {
  readonly token: Token;
  /** Which measurement it belongs to, 1 to 2^32 − 1; 0 for none. */
  readonly round: number;
}

export type Packet =
  | Common & { readonly kind: "probe" | "reply" }
  | Common & {
    /** "Measure these." No targets: all that you know. */
    readonly kind: "question";
    /** Which part of the answer is wanted, from 0 on. */
    readonly page: number;
    readonly targets: readonly string[];
  }
  | Common & {
    readonly kind: "answer";
    readonly state: (typeof states)[number];
    readonly page: number;
    readonly pages: number;
    readonly results: readonly Result[];
  };

/** How packets got through from one host to another. */
export interface Result {
  /** The address of the other host. */
  readonly address: string;
  readonly how: (typeof ways)[number];
  /** 0 to 255. */
  readonly sent: number;
  readonly received: number;
  /** How many probes of this round came from there: the other direction, seen from its end. */
  readonly heard: number;
  /** Microseconds from the sending to the reply; 0 where there was none. */
  readonly fastest: number;
  readonly average: number;
  readonly slowest: number;
  /** The largest packet that came through and the smallest that did not; 0 where that was not found out. */
  readonly mtu: number;
  readonly tooLarge: number;
}

/** The bytes of a packet of a family; a probe is padded so that its packet has `size` bytes, headers and all. */
export function encode(
  packet: Packet,
  { family, size = 0 }: { family: Family; size?: number },
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(bytesOf(packet, { family, size }));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  bytes[4] = VERSION;
  bytes[5] = kinds.indexOf(packet.kind);
  bytes.set(Uint8Array.fromHex(packet.token), 8);
  view.setUint32(16, packet.round);
  if (packet.kind === "question") {
    view.setUint16(HEAD, packet.page);
    view.setUint16(HEAD + 2, packet.targets.length);
    packet.targets.forEach((one, i) => bytes.set(addressBytes(one), HEAD + 4 + i * ADDRESS_BYTES[family]));
  } else if (packet.kind === "answer") {
    bytes[6] = states.indexOf(packet.state);
    view.setUint16(HEAD, packet.page);
    view.setUint16(HEAD + 2, packet.pages);
    view.setUint16(HEAD + 4, packet.results.length);
    packet.results.forEach((one, i) => {
      const at = HEAD + 8 + i * resultBytes(family);
      bytes.set(addressBytes(one.address), at);
      encodeNumbers(one, view, at + ADDRESS_BYTES[family]);
    });
  }
  return bytes;
}

function bytesOf(packet: Packet, { family, size }: { family: Family; size: number }): number {
  switch (packet.kind) {
    case "probe":
      return Math.max(HEAD, size - HEADERS[family]);
    case "reply":
      return HEAD;
    case "question":
      return QUESTION_BYTES[family];
    case "answer":
      return HEAD + 8 + packet.results.length * resultBytes(family);
  }
}

/** What the bytes of a packet of a family say, or undefined for anything that {@link encode} does not make. */
export function decode(bytes: Uint8Array, family: Family): Packet | undefined {
  if (bytes.length < HEAD) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0) !== MAGIC || bytes[4] !== VERSION || bytes[7] !== 0) return undefined;
  const kind = kinds[bytes[5]!];
  const common = { token: bytes.subarray(8, 16).toHex(), round: view.getUint32(16) };
  if (kind !== "answer" && bytes[6] !== 0) return undefined;
  switch (kind) {
    case "probe":
      return { kind, ...common };
    case "reply":
      return bytes.length === HEAD ? { kind, ...common } : undefined;
    case "question":
      return decodeQuestion(view, { ...common, family });
    case "answer":
      return decodeAnswer(view, { ...common, family });
    default:
      return undefined;
  }
}

type Coming = Common & { readonly family: Family };

function decodeQuestion(view: DataView, { family, ...common }: Coming): Packet | undefined {
  if (view.byteLength !== QUESTION_BYTES[family] || common.round === 0) return undefined;
  const count = view.getUint16(HEAD + 2);
  if (count > MAX_TARGETS[family]) return undefined;
  const length = ADDRESS_BYTES[family];
  const targets = Array.from(
    { length: count },
    (_, i) => addressAt(view, { at: HEAD + 4 + i * length, length }),
  );
  return { kind: "question", ...common, page: view.getUint16(HEAD), targets };
}

function decodeAnswer(view: DataView, { family, ...common }: Coming): Packet | undefined {
  if (view.byteLength < HEAD + 8) return undefined;
  const [state, count] = [states[view.getUint8(6)], view.getUint16(HEAD + 4)];
  if (state === undefined || count > PAGE[family] || view.getUint16(HEAD + 6) !== 0) return undefined;
  if (view.byteLength !== HEAD + 8 + count * resultBytes(family)) return undefined;
  const results = Array.from({ length: count }, (_, i) => {
    const [at, length] = [HEAD + 8 + i * resultBytes(family), ADDRESS_BYTES[family]];
    const numbers = numbersAt(view, at + length);
    return numbers && { address: addressAt(view, { at, length }), ...numbers };
  });
  if (!results.every((one): one is Result => one !== undefined)) return undefined;
  const [page, pages] = [view.getUint16(HEAD), view.getUint16(HEAD + 2)];
  return { kind: "answer", ...common, state, page, pages, results };
}

type Numbers = Omit<Result, "address">;

/** How each number of a result is written: counts 1 each, way 1, times 4 each, sizes 2 each. */
function encodeNumbers(result: Numbers, view: DataView, at: number): void {
  [result.sent, result.received, result.heard, ways.indexOf(result.how)]
    .forEach((value, i) => view.setUint8(at + i, Math.min(value, 255)));
  [result.fastest, result.average, result.slowest]
    .forEach((value, i) => view.setUint32(at + 4 + 4 * i, Math.min(Math.round(value), 0xffffffff)));
  view.setUint16(at + 16, result.mtu);
  view.setUint16(at + 18, result.tooLarge);
}

function numbersAt(view: DataView, at: number): Numbers | undefined {
  const [sent, received, heard] = [0, 1, 2].map((offset) => view.getUint8(at + offset)) as [
    number,
    number,
    number,
  ];
  const [fastest, average, slowest] = [4, 8, 12].map((offset) => view.getUint32(at + offset)) as [
    number,
    number,
    number,
  ];
  const how = ways[view.getUint8(at + 3)];
  if (how === undefined || received > sent) return undefined;
  const sizes = { mtu: view.getUint16(at + 16), tooLarge: view.getUint16(at + 18) };
  return { how, sent, received, heard, fastest, average, slowest, ...sizes };
}

function addressBytes(address: string): Uint8Array<ArrayBuffer> {
  return ipToBytes(parseIp(address));
}

function addressAt(view: DataView, { at, length }: { at: number; length: number }): string {
  return formatIp(ipFromBytes(new Uint8Array(view.buffer, view.byteOffset + at, length)));
}
