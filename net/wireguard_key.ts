/** WireGuard's keys: 32 bytes, which people write in base64 (man 8 wg), and X25519's arithmetic for them (RFC 7748). */

export const KEY_BYTES = 32;

/** The key's bytes, or undefined for any other text. */
export function readKey(text: string): Uint8Array<ArrayBuffer> | undefined {
  // 43 characters and one that fills up; the last bits of such a number must be 0.
  if (!/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(text)) return undefined;
  return Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
}

/** 32 bytes in base64. */
export function keyText(key: Uint8Array): string {
  return btoa(String.fromCharCode(...key));
}

/** Random bytes as a private key, some of whose bits are given (RFC 7748, section 5). */
export function clamped(random: Uint8Array): Uint8Array<ArrayBuffer> {
  const key = Uint8Array.from(random);
  key[0]! &= 248;
  key[31]! = (key[31]! & 127) | 64;
  return key;
}

/** PKCS #8 of an X25519 key without its 32 bytes (RFC 8410, section 7). */
const PKCS8_HEAD = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20];

/** By the private one: computing takes a millisecond, and a host asks for its own few again and again. */
const known = new Map<string, string>();
const MOST_KNOWN = 1000;

/** The public key, in base64, of 32 bytes that are a private one. */
export async function publicKeyOf(privateKey: Uint8Array): Promise<string> {
  const name = String(privateKey);
  const before = known.get(name);
  if (before !== undefined) return before;
  const publicKey = await computed(privateKey);
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(name, publicKey);
  return publicKey;
}

async function computed(privateKey: Uint8Array): Promise<string> {
  const pkcs8 = Uint8Array.from([...PKCS8_HEAD, ...privateKey]);
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, { name: "X25519" }, true, ["deriveBits"]);
  const { x = "" } = await crypto.subtle.exportKey("jwk", key);
  return `${x.replaceAll("-", "+").replaceAll("_", "/")}=`;
}
