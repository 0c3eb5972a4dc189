/**
 * Takes netlink messages apart with libnl: `nlmsg_parse` checks every attribute's length against a policy and
 * says where it lies, and the values are then read in JavaScript, within the bounds of the received bytes.
 */
import { libnl } from "./libnl.ts";
import { NLMSG_HDRLEN } from "./rtnetlink/constants.ts";

const NLA_HDRLEN = 4; // struct nlattr { u16 len; u16 type; }, linux/netlink.h
const MAX_ATTRIBUTES = 64;

/** How libnl checks an attribute (NLA_ types of netlink/attr.h). */
export type AttributeKind = "bytes" | "u8" | "u16" | "u32" | "string" | "nested" | "flag";

const nlaType: Readonly<Record<AttributeKind, number>> = {
  bytes: 0,
  u8: 1,
  u16: 2,
  u32: 3,
  string: 5,
  flag: 6,
  nested: 8,
};

/** A table of the attributes that are looked at: number → kind; others are skipped. */
export class Policy {
  /** The largest attribute number. */
  readonly max: number;
  /** `struct nla_policy { uint16_t type, minlen, maxlen; }[max + 1]`, netlink/attr.h. */
  readonly table: Uint16Array<ArrayBuffer>;

  constructor(kinds: Readonly<Record<number, AttributeKind>>) {
    this.max = Math.max(...Object.keys(kinds).map(Number));
    if (this.max >= MAX_ATTRIBUTES) {
      throw new RangeError(`Attribute ${this.max} is beyond the parser's table`);
    }
    this.table = new Uint16Array((this.max + 1) * 3);
    for (const [type, kind] of Object.entries(kinds)) this.table[Number(type) * 3] = nlaType[kind];
  }
}

/**
 * The bytes of one receive, whose messages are parsed in place. After `parse` or `nested` the attributes of
 * that message or attribute can be asked for by number, until the next one.
 */
export class MessageParser {
  /** The received bytes; kept by this object because libnl's pointers lead into it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  /** Low half of the address of `bytes`, which does not move while it lives: enough to subtract. */
  readonly #base: number;
  /** libnl's result: one pointer per attribute number, as two 32-bit halves. */
  readonly #found = new Uint32Array(2 * MAX_ATTRIBUTES);
  /** Where the message ends that is being looked at. */
  #end = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.bytes.buffer);
    const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(this.bytes));
    this.#base = Number(BigInt.asUintN(32, BigInt(address)));
  }

  /** The messages in the first `length` bytes. Ends before the first that is not whole. */
  *messages(length: number): Generator<MessageBounds> {
    let offset = 0;
    while (length - offset >= NLMSG_HDRLEN) {
      const size = this.#view.getUint32(offset, true);
      if (size < NLMSG_HDRLEN || size > length - offset) return;
      const next = offset + ((size + 3) & ~3);
      yield {
        offset,
        length: size,
        type: this.#view.getUint16(offset + 4, true),
        flags: this.#view.getUint16(offset + 6, true),
        sequence: this.#view.getUint32(offset + 8, true),
        port: this.#view.getUint32(offset + 12, true),
      };
      offset = next;
    }
  }

  /** Finds the attributes of a message behind its family header; false where it is malformed. */
  parse(message: MessageBounds, headerLength: number, policy: Policy): boolean {
    if (message.length < NLMSG_HDRLEN + headerLength) return false;
    this.#end = message.offset + message.length;
    const bytes = this.bytes.subarray(message.offset, message.offset + message.length);
    return libnl().nlmsg_parse(bytes, headerLength, this.#found, policy.max, policy.table) === 0;
  }

  /** Finds the attributes inside the attribute `type` of the last parse; false where there is none. */
  nested(type: number, policy: Policy): boolean {
    const at = this.#offset(type);
    if (at === 0) return false;
    return this.parseAt(at, this.#length(at), policy);
  }

  /**
   * Where the values of the attributes in the attribute `type` of the last parse lie, for a list whose members have no
   * numbers of their own; {@link parseAt} takes each of them. Ends before the first that is not whole.
   */
  members(type: number): (readonly [offset: number, length: number])[] {
    const found: (readonly [number, number])[] = [];
    let at = this.#offset(type);
    const end = at === 0 ? 0 : at + this.#length(at);
    while (at + NLA_HDRLEN <= end) {
      const length = this.#view.getUint16(at, true);
      if (length < NLA_HDRLEN || at + length > end) break;
      found.push([at + NLA_HDRLEN, length - NLA_HDRLEN]);
      at += (length + 3) & ~3;
    }
    return found;
  }

  /** Finds the attributes in a stretch of bytes. */
  parseAt(offset: number, length: number, policy: Policy): boolean {
    if (offset + length > this.#end) return false;
    const bytes = this.bytes.subarray(offset, offset + length);
    return libnl().nla_parse(this.#found, policy.max, bytes, length, policy.table) === 0;
  }

  /** One byte of the message's payload, which begins with the family header that `parse` checked. */
  headU8(message: MessageBounds, at: number): number {
    return this.#view.getUint8(message.offset + NLMSG_HDRLEN + at);
  }

  headU16(message: MessageBounds, at: number): number {
    return this.#view.getUint16(message.offset + NLMSG_HDRLEN + at, true);
  }

  headU32(message: MessageBounds, at: number): number {
    return this.#view.getUint32(message.offset + NLMSG_HDRLEN + at, true);
  }

  has(type: number): boolean {
    return this.#offset(type) !== 0;
  }

  /** The value of a `u8` attribute, or undefined where it is absent. */
  u8(type: number): number | undefined {
    const at = this.#offset(type);
    return at === 0 ? undefined : this.#view.getUint8(at);
  }

  /** The value of a `u16` attribute that is in network byte order. */
  be16(type: number): number | undefined {
    const at = this.#offset(type);
    return at === 0 ? undefined : this.#view.getUint16(at, false);
  }

  /** The value of a `u16` attribute that is in the machine's byte order. */
  u16(type: number): number | undefined {
    const at = this.#offset(type);
    return at === 0 ? undefined : this.#view.getUint16(at, true);
  }

  u32(type: number): number | undefined {
    const at = this.#offset(type);
    return at === 0 ? undefined : this.#view.getUint32(at, true);
  }

  /** A `string` attribute up to its first zero. */
  string(type: number): string | undefined {
    const data = this.data(type);
    return data === undefined ? undefined : decoder.decode(data.subarray(0, data.indexOf(0)));
  }

  /** The bytes of an attribute, in memory that the next receive overwrites. */
  data(type: number): Uint8Array<ArrayBuffer> | undefined {
    const at = this.#offset(type);
    return at === 0 ? undefined : this.bytes.subarray(at, at + this.#length(at));
  }

  /** Offset of an attribute's value in `bytes`, or 0. */
  #offset(type: number): number {
    const low = this.#found[2 * type]!;
    if (low === 0 && this.#found[2 * type + 1] === 0) return 0;
    return ((low - this.#base) >>> 0) + NLA_HDRLEN;
  }

  #length(valueOffset: number): number {
    return this.#view.getUint16(valueOffset - NLA_HDRLEN, true) - NLA_HDRLEN;
  }
}

/** Where a message lies in the received bytes, and its `struct nlmsghdr`. */
export interface MessageBounds {
  readonly offset: number;
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** `nlmsg_pid`: the netlink port of who caused it, or of the request that it answers. */
  readonly port: number;
}

const decoder = new TextDecoder();
