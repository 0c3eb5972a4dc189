/**
 * Builds netlink messages with libnl: one `nl_msg` serves for all of them, so that a message costs its
 * attributes and one copy, and no allocation in C.
 */
import { FlanError } from "../net/errors.ts";
import { cannotEncode, libnl } from "./libnl.ts";
import { NLMSG_ALIGNTO, NLMSG_HDRLEN } from "./rtnetlink/constants.ts";

/** The longest message that can be built. The longest that flan needs, a VXLAN link, has some 500 bytes. */
const CAPACITY = 4096;

export interface MessageHead {
  /** RTM_ number. */
  readonly type: number;
  /** NLM_F_ flags. */
  readonly flags: number;
}

/** Writes one message at a time; `finish` shows it. All methods throw FlanError where it would not fit. */
export class MessageBuilder {
  readonly #message: Deno.PointerObject;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  #freed = false;

  constructor() {
    const message = libnl().nlmsg_alloc_size(BigInt(CAPACITY));
    const header = message === null ? null : libnl().nlmsg_hdr(message);
    if (message === null || header === null) {
      throw new FlanError("Cannot allocate a netlink message: no memory", {
        op: "ffi.encode",
        code: "failed",
      });
    }
    this.#message = message;
    const memory = Deno.UnsafePointerView.getArrayBuffer(header, CAPACITY);
    this.#bytes = new Uint8Array(memory);
    this.#view = new DataView(memory);
  }

  /** Begins a message anew; `family` is the family's own header (`struct rtmsg`, …). */
  start(head: MessageHead, family: Uint8Array<ArrayBuffer>): void {
    if (this.#freed) {
      throw new FlanError("Cannot encode a netlink message: its memory was given back", {
        op: "ffi.encode",
        code: "failed",
      });
    }
    // struct nlmsghdr { u32 len; u16 type; u16 flags; u32 seq; u32 pid; }, linux/netlink.h. libnl appends at
    // nlmsg_len, so writing it back to the header's own length empties the message.
    this.#view.setUint32(0, NLMSG_HDRLEN, true);
    this.#view.setUint16(4, head.type, true);
    this.#view.setUint16(6, head.flags, true);
    this.#view.setUint32(8, 0, true);
    this.#view.setUint32(12, 0, true);
    this.#check(libnl().nlmsg_append(this.#message, family, BigInt(family.length), NLMSG_ALIGNTO));
  }

  put(type: number, data: Uint8Array<ArrayBuffer>): void {
    this.#check(libnl().nla_put(this.#message, type, data.length, data));
  }

  putU8(type: number, value: number): void {
    this.#check(libnl().nla_put_u8(this.#message, type, value));
  }

  /** A 16-bit value in network byte order. */
  putBe16(type: number, value: number): void {
    this.#check(libnl().nla_put_u16(this.#message, type, ((value & 0xff) << 8) | (value >>> 8)));
  }

  /** A 16-bit value in the machine's byte order. */
  putU16(type: number, value: number): void {
    this.#check(libnl().nla_put_u16(this.#message, type, value));
  }

  putU32(type: number, value: number): void {
    this.#check(libnl().nla_put_u32(this.#message, type, value));
  }

  putFlag(type: number): void {
    this.#check(libnl().nla_put_flag(this.#message, type));
  }

  /** A string with its terminating zero. */
  putString(type: number, value: string): void {
    if (value.includes("\0")) {
      throw new FlanError("Cannot encode a netlink message: a text holds a zero byte", {
        op: "ffi.encode",
        code: "invalid",
      });
    }
    this.put(type, encoder.encode(`${value}\0`));
  }

  /** What `body` puts becomes the contents of one attribute. */
  nest(type: number, body: () => void): void {
    const start = libnl().nla_nest_start(this.#message, type);
    if (start === null) this.#check(-NLE_NOMEM);
    body();
    this.#check(libnl().nla_nest_end(this.#message, start));
  }

  /** The finished message, in memory that the next message overwrites. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#view.getUint32(0, true));
  }

  /** Gives the C memory back; the builder cannot be used again. */
  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    libnl().nlmsg_free(this.#message);
  }

  #check(result: number): void {
    if (result < 0) throw cannotEncode(result);
  }
}

const NLE_NOMEM = 5; // netlink/errno.h
const encoder = new TextEncoder();
