/** What of IPsec flan puts into the kernel (RFC 4301), as values without a secret in them. */
import type { Derivation } from "../net/ipsec_key.ts";
import { fingerprint } from "../net/fingerprint.ts";

/** An XFRM interface: policies and states with its number are for packets that take it, and for no others. */
export interface Xfrm {
  /** 1 to 2^32 − 1; one device of a namespace has it. */
  readonly interfaceId: number;
}

/** A security association: how packets to one address are encrypted or, of those that come in, decrypted. */
export interface XfrmState {
  readonly kind: "xfrm-state";
  /** Of the outer packets. */
  readonly source: string;
  readonly destination: string;
  /** Security parameters index, 256 to 2^32 − 1: names the state at its destination. */
  readonly spi: number;
  /** Binds the state to policies, and says whose it is, see {@link xfrmMark}. */
  readonly requestId: number;
  readonly interfaceId: number;
  /** UDP port of both ends, where its packets are ESP in UDP (RFC 3948). */
  readonly encapPort?: number;
  /** Fingerprint of its key, "" for another kind of state than flan's. */
  readonly key: string;
  /** How its key is come by; only of what is wanted. */
  readonly derivation?: Derivation & {
    /** Fingerprint of the network's pre-shared key. */
    readonly presharedKey: string;
  };
}

/**
 * That ESP which comes in UDP to a port is taken out of it: the kernel does so while a process of this host's holds a
 * socket there. What goes out it puts into UDP by itself.
 */
export interface EncapSocket {
  readonly kind: "encap-socket";
  readonly port: number;
}

/** Of ESP in UDP, IANA's `ipsec-nat-t`. */
export const ENCAP_PORT = 4500;

/** What becomes of packets between two prefixes. */
export interface XfrmPolicy {
  readonly kind: "xfrm-policy";
  readonly direction: "in" | "out" | "fwd";
  readonly source: string;
  readonly destination: string;
  /** The lowest decides. */
  readonly priority: number;
  /** `tunnel`: they must take, or have taken, the one between `ends`; `pass`: in clear or not; `block`: not at all. */
  readonly action: "tunnel" | "pass" | "block";
  readonly ends?: { readonly source: string; readonly destination: string };
  readonly requestId: number;
  /** 0 for packets that take no XFRM interface. */
  readonly interfaceId: number;
}

export type XfrmObject = EncapSocket | XfrmState | XfrmPolicy;

/** What names the object among all of the namespace. */
export function xfrmKey(object: XfrmObject): string {
  if (object.kind === "encap-socket") return `encap-socket ${object.port}`;
  if (object.kind === "xfrm-state") return `xfrm-state ${object.destination} spi ${hex(object.spi)}`;
  const { direction, source, destination, interfaceId } = object;
  return `xfrm-policy ${direction} ${source} ${destination}${
    interfaceId === 0 ? "" : ` if ${hex(interfaceId)}`
  }`;
}

/** What events call it; one about all states, or about all policies, says `states` or `policies`. */
export function xfrmSubject(
  object:
    | Pick<XfrmState, "kind" | "destination" | "spi">
    | Pick<XfrmPolicy, "kind" | "direction" | "source" | "destination">,
): string {
  if (object.kind === "xfrm-state") return `state ${object.destination} spi ${hex(object.spi)}`;
  return `policy ${object.direction} ${object.source} to ${object.destination}`;
}

/** As a person reads it. */
export function describeXfrm(object: XfrmObject): string {
  if (object.kind === "encap-socket") return `socket for ESP in UDP at port ${object.port}`;
  const { source, destination } = object;
  if (object.kind === "xfrm-state") {
    return `IPsec state ${source} to ${destination} spi ${hex(object.spi)}`;
  }
  const { direction, action, ends } = object;
  const how = ends === undefined ? action : `by ESP ${ends.source} to ${ends.destination}`;
  return `IPsec policy ${direction} ${source} to ${destination}: ${how}`;
}

/**
 * The number that stands for whom an alias stands for, where the kernel takes no text: as request id of states and
 * policies, and as the number of its interface. 1 to 2^31 − 1.
 */
export function xfrmMark(alias: string): number {
  const digits = fingerprint(new TextEncoder().encode(alias)).slice(0, 8);
  return (Number.parseInt(digits, 16) >>> 1) || 1;
}

/** Without what only a plan tells. */
export function settingsOfState({ derivation: _, ...settings }: XfrmState): XfrmState {
  return settings;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
