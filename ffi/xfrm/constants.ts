/** Numbers and structures of the kernel's XFRM interface (linux/xfrm.h). */
import { addressBytes, addressText, prefixBytes } from "../bytes.ts";

export const NETLINK_XFRM = 6; // linux/netlink.h

export const XFRM_MSG_NEWSA = 0x10;
export const XFRM_MSG_DELSA = 0x11;
export const XFRM_MSG_GETSA = 0x12;
export const XFRM_MSG_NEWPOLICY = 0x13;
export const XFRM_MSG_DELPOLICY = 0x14;
export const XFRM_MSG_GETPOLICY = 0x15;
export const XFRM_MSG_UPDPOLICY = 0x19;
export const XFRM_MSG_UPDSA = 0x1a;
export const XFRM_MSG_FLUSHSA = 0x1c;
export const XFRM_MSG_FLUSHPOLICY = 0x1d;
// enum xfrm_nlgroups
export const XFRMNLGRP_SA = 3;
export const XFRMNLGRP_POLICY = 4;
export const XFRMA_ENCAP = 4;
export const XFRMA_TMPL = 5;
export const XFRMA_ALG_AEAD = 18;
export const XFRMA_REPLAY_ESN_VAL = 23;
export const XFRMA_IF_ID = 31;
export const XFRM_MODE_TRANSPORT = 0;
export const XFRM_MODE_TUNNEL = 1;
export const IPPROTO_ESP = 50;
/** `xfrm_address_t`: an IPv4 address stands at its beginning. */
export const ADDRESS_LENGTH = 16;
/** `struct xfrm_selector`. */
export const SELECTOR_LENGTH = 56;
/** `struct xfrm_usersa_info`, `struct xfrm_usersa_id`, `struct xfrm_userpolicy_info`, `struct xfrm_userpolicy_id`. */
export const SA_LENGTH = 224;
export const SA_ID_LENGTH = 24;
export const POLICY_LENGTH = 168;
export const POLICY_ID_LENGTH = 64;
/** XFRM_POLICY_IN, XFRM_POLICY_OUT, XFRM_POLICY_FWD; a socket's own have greater numbers. */
export const directions = ["in", "out", "fwd"] as const;

const AF_INET = 2;
const AF_INET6 = 10;

/** A structure of C, filled at offsets. */
export class Struct {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** Returns its family. */
  address(at: number, text: string): number {
    const bytes = addressBytes(text);
    this.bytes.set(bytes, at);
    return bytes.length === 4 ? AF_INET : AF_INET6;
  }

  u8(at: number, value: number): void {
    this.#view.setUint8(at, value);
  }

  u16(at: number, value: number): void {
    this.#view.setUint16(at, value, true);
  }

  u32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  be16(at: number, value: number): void {
    this.#view.setUint16(at, value, false);
  }

  be32(at: number, value: number): void {
    this.#view.setUint32(at, value, false);
  }

  u64(at: number, value: bigint): void {
    this.#view.setBigUint64(at, value, true);
  }

  /** `struct xfrm_selector` of all packets between two prefixes. */
  selector(at: number, { source, destination }: { source: string; destination: string }): void {
    const to = prefixBytes(destination);
    const from = prefixBytes(source);
    this.bytes.set(to.bytes, at);
    this.bytes.set(from.bytes, at + ADDRESS_LENGTH);
    this.u16(at + 40, to.bytes.length === 4 ? AF_INET : AF_INET6);
    this.u8(at + 42, to.length);
    this.u8(at + 43, from.length);
  }

  /** `struct xfrm_lifetime_cfg` without any limit: 2^64 − 1 stands for none (XFRM_INF). */
  noLimits(at: number): void {
    for (let i = 0; i < 4; i++) this.u64(at + 8 * i, 0xffffffffffffffffn);
  }
}

/** The address in `xfrm_address_t` at an offset. Throws RangeError for a family that is no IP's. */
export function addressAt(bytes: Uint8Array, at: number, family: number): string {
  if (family !== AF_INET && family !== AF_INET6) throw new RangeError(`Address family ${family} is not IP`);
  return addressText(bytes.subarray(at, at + (family === AF_INET ? 4 : 16)));
}

/** The prefixes of the `struct xfrm_selector` at an offset. Throws as {@link addressAt}. */
export function selectorAt(bytes: Uint8Array, at: number): { source: string; destination: string } {
  const family = bytes[at + 40]! | bytes[at + 41]! << 8;
  return {
    source: `${addressAt(bytes, at + ADDRESS_LENGTH, family)}/${bytes[at + 43]}`,
    destination: `${addressAt(bytes, at, family)}/${bytes[at + 42]}`,
  };
}
