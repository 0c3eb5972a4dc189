/**
 * Keys of the ipsec backend: each pair of hosts has one for each direction and each span of time, which both of them
 * derive from the network's pre-shared key by HKDF-SHA256 (RFC 5869), without talking.
 *
 * AES-GCM is broken by two packets with one key and one counter, and the kernel's counter begins at 0 with each state
 * that is made. So a key is for one state only: whoever cannot go on with the states that it had (after a reboot, or
 * when somebody deleted one) chooses a new nonce, announces it in its lease, and has other keys from then on. The
 * receiver's nonce is in the key, too: it forgets which packets came in already, and what was sent before must not come
 * in again.
 */

/** 20 bytes: the key of AES-128 and the salt of RFC 4106. */
export const IPSEC_KEY_BYTES = 20;

const NONCE = /^[0-9a-f]{32}$/;

export interface End {
  /** The host's subnet, as its lease names it. */
  readonly subnet: string;
  /** What the host announces, 32 hex digits, new with each set of states. */
  readonly nonce: string;
}

/** What names a key among all of a network's; nothing of it is secret. */
export interface Derivation {
  readonly network: string;
  readonly from: End;
  readonly to: End;
  /** Milliseconds that a key is sent with. */
  readonly span: number;
  /** Number of the span of time, see {@link epochAt}. */
  readonly epoch: number;
}

/** The span of time that `now` is in, both in milliseconds, since 1970. */
export function epochAt(now: number, span: number): number {
  return Math.floor(now / span);
}

/** Whether the text is what a host announces. */
export function isNonce(text: unknown): text is string {
  return typeof text === "string" && NONCE.test(text);
}

/**
 * The key of what `from` sends to `to` in that span. salt: `flan ipsec 1` and the network; info: the cipher, both subnets
 * and both nonces, the sender's first, the span's length and number, each with its length before it, so that no two
 * inputs read alike.
 */
export function deriveKey(
  presharedKey: Uint8Array,
  { network, from, to, span, epoch }: Derivation,
): Uint8Array {
  // Loaded here and not by an import, which would cost every command a tenth of a second.
  const { hkdfSync } = process.getBuiltinModule("node:crypto");
  const ends = [from.subnet, from.nonce, to.subnet, to.nonce];
  const info = framed(["esp aes-128-gcm-16", ...ends, `${span}`, `${epoch}`]);
  const salt = framed(["flan ipsec 1", network]);
  return new Uint8Array(hkdfSync("sha256", presharedKey, salt, info, IPSEC_KEY_BYTES));
}

/**
 * The index that both ends know the state by: at its destination each sender has another subnet, and of the spans that
 * may be in use at once, three, each has another remainder by 4. `position` is where in the network the sender's subnet
 * begins, 0 to 2^29 − 1.
 */
export function indexOf(position: number, epoch: number): number {
  return (0x80000000 | (position << 2) | (epoch & 3)) >>> 0;
}

function framed(parts: readonly string[]): Uint8Array {
  return new TextEncoder().encode(parts.map((part) => `${part.length}:${part}`).join(""));
}
