/**
 * What hosts say to one another to find out how packets get through: datagrams of a fixed head, in network order.
 *
 *     0  "flan"   4  version   5  kind   6  flags   7  0   8  token (8 bytes)   16  round (4 bytes)   20  body
 *
 * A probe's body is padding up to the size under test; its reply has none, so that each direction is measured for
 * itself. Nobody can be made to send more than came in: every answer is no larger than what it answers.
 */

/** Bytes of the head. */
export const HEAD = 20;
/** An IPv4 and a UDP or an ICMP header (RFC 791, 768, 792): what a packet has beside its payload. */
export const HEADERS = 28;
/** The smallest packet that a probe fits into, headers and all. */
export const SMALLEST_PROBE = HEAD + HEADERS;
/** Of a question and its answer together with their headers: what every IPv4 host must accept (RFC 791). */
const QUESTION_BYTES = 576 - HEADERS;
/** Of one target in a question, and of one result in an answer. */
const ADDRESS_BYTES = 4;
const RESULT_BYTES = 24;
/** How many targets a question can name, and how many results an answer can hold. */
export const MAX_TARGETS = Math.floor((QUESTION_BYTES - HEAD - 4) / ADDRESS_BYTES);
export const PAGE = Math.floor((QUESTION_BYTES - HEAD - 8) / RESULT_BYTES);

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

/** The bytes of a packet; a probe is padded so that its packet has `size` bytes, headers and all. */
export function encode(packet: Packet, size = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(bytesOf(packet, size));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  bytes[4] = VERSION;
  bytes[5] = kinds.indexOf(packet.kind);
  bytes.set(Uint8Array.fromHex(packet.token), 8);
  view.setUint32(16, packet.round);
  if (packet.kind === "question") {
    view.setUint16(HEAD, packet.page);
    view.setUint16(HEAD + 2, packet.targets.length);
    packet.targets.forEach((one, i) => bytes.set(addressBytes(one), HEAD + 4 + i * ADDRESS_BYTES));
  } else if (packet.kind === "answer") {
    bytes[6] = states.indexOf(packet.state);
    view.setUint16(HEAD, packet.page);
    view.setUint16(HEAD + 2, packet.pages);
    view.setUint16(HEAD + 4, packet.results.length);
    packet.results.forEach((one, i) => encodeResult(one, view, HEAD + 8 + i * RESULT_BYTES));
  }
  return bytes;
}

function bytesOf(packet: Packet, size: number): number {
  switch (packet.kind) {
    case "probe":
      return Math.max(HEAD, size - HEADERS);
    case "reply":
      return HEAD;
    case "question":
      return QUESTION_BYTES;
    case "answer":
      return HEAD + 8 + packet.results.length * RESULT_BYTES;
  }
}

/** What the bytes say, or undefined for anything that {@link encode} does not make. */
export function decode(bytes: Uint8Array): Packet | undefined {
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
      return decodeQuestion(view, common);
    case "answer":
      return decodeAnswer(view, common);
    default:
      return undefined;
  }
}

function decodeQuestion(view: DataView, common: Common): Packet | undefined {
  if (view.byteLength !== QUESTION_BYTES || common.round === 0) return undefined;
  const count = view.getUint16(HEAD + 2);
  if (count > MAX_TARGETS) return undefined;
  const targets = Array.from({ length: count }, (_, i) => addressAt(view, HEAD + 4 + i * ADDRESS_BYTES));
  return { kind: "question", ...common, page: view.getUint16(HEAD), targets };
}

function decodeAnswer(view: DataView, common: Common): Packet | undefined {
  if (view.byteLength < HEAD + 8) return undefined;
  const [state, count] = [states[view.getUint8(6)], view.getUint16(HEAD + 4)];
  if (state === undefined || count > PAGE || view.getUint16(HEAD + 6) !== 0) return undefined;
  if (view.byteLength !== HEAD + 8 + count * RESULT_BYTES) return undefined;
  const results = Array.from({ length: count }, (_, i) => resultAt(view, HEAD + 8 + i * RESULT_BYTES));
  if (!results.every((one): one is Result => one !== undefined)) return undefined;
  const [page, pages] = [view.getUint16(HEAD), view.getUint16(HEAD + 2)];
  return { kind: "answer", ...common, state, page, pages, results };
}

/** How each number of a result is written: address 4, counts 1 each, way 1, times 4 each, sizes 2 each. */
function encodeResult(result: Result, view: DataView, at: number): void {
  addressBytes(result.address).forEach((byte, i) => view.setUint8(at + i, byte));
  [result.sent, result.received, result.heard, ways.indexOf(result.how)]
    .forEach((value, i) => view.setUint8(at + 4 + i, Math.min(value, 255)));
  [result.fastest, result.average, result.slowest]
    .forEach((value, i) => view.setUint32(at + 8 + 4 * i, Math.min(Math.round(value), 0xffffffff)));
  view.setUint16(at + 20, result.mtu);
  view.setUint16(at + 22, result.tooLarge);
}

function resultAt(view: DataView, at: number): Result | undefined {
  const [sent, received, heard] = [4, 5, 6].map((offset) => view.getUint8(at + offset)) as [
    number,
    number,
    number,
  ];
  const [fastest, average, slowest] = [8, 12, 16].map((offset) => view.getUint32(at + offset)) as [
    number,
    number,
    number,
  ];
  const how = ways[view.getUint8(at + 7)];
  if (how === undefined || received > sent) return undefined;
  const sizes = { mtu: view.getUint16(at + 20), tooLarge: view.getUint16(at + 22) };
  return { address: addressAt(view, at), how, sent, received, heard, fastest, average, slowest, ...sizes };
}

/** The four bytes of an IPv4 address in canonical text, which is all that is measured between. */
export function addressBytes(address: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(address.split("."), Number);
}

function addressAt(view: DataView, at: number): string {
  return [0, 1, 2, 3].map((i) => view.getUint8(at + i)).join(".");
}
