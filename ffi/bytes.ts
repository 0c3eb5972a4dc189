/**
 * Addresses between canonical text and network-order bytes, for tens of thousands at a time. What is not
 * plain IPv4 goes through `net/ip.ts`. Making a small typed array costs more than all the rest of a message
 * (0.6 µs), so the callers in the hot path bring one and use it again.
 */
import { formatIp, ipFromBytes, ipToBytes, parseIp } from "../net/ip.ts";
import { invalid } from "../net/errors.ts";
import { quoted } from "../net/text.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** The 4 or 16 bytes of an address, those of an IPv4 address in `four`. Throws `invalid`. */
export function addressBytes(text: string, four: Bytes = new Uint8Array(4)): Bytes {
  return ipv4Bytes(text, four) ? four : ipToBytes(parseIp(text));
}

/** Bytes (see {@link addressBytes}) and length of a prefix; host bits are kept. Throws `invalid`. */
export function prefixBytes(text: string, four: Bytes = new Uint8Array(4)): { bytes: Bytes; length: number } {
  const slash = text.indexOf("/");
  const bytes = addressBytes(slash < 0 ? text : text.slice(0, slash), four);
  const digits = text.slice(slash + 1);
  const length = Number(digits);
  if (slash < 0 || !/^\d{1,3}$/.test(digits) || length > bytes.length * 8) {
    throw invalid("ffi.encode", `Cannot encode prefix ${quoted(text)}: a length is missing or too large`);
  }
  return { bytes, length };
}

/** Text of 4 or 16 bytes. Throws RangeError for any other number of them. */
export function addressText(bytes: Uint8Array): string {
  return bytes.length === 4
    ? `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`
    : formatIp(ipFromBytes(bytes));
}

/** The six bytes of a MAC, in `bytes`. Throws `invalid`. */
export function macBytes(text: string, bytes: Bytes = new Uint8Array(6)): Bytes {
  if (text.length !== 17) throw badMac(text);
  for (let i = 0; i < 6; i++) {
    const high = hexValue(text.charCodeAt(3 * i));
    const low = hexValue(text.charCodeAt(3 * i + 1));
    if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] !== ":")) throw badMac(text);
    bytes[i] = high * 16 + low;
  }
  return bytes;
}

/** Text of a link-layer address: hex pairs with colons, "" for none. */
export function macText(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += (i === 0 ? "" : ":") + hexPairs[bytes[i]!];
  return text;
}

/** Fills four bytes; false where the text is anything but four octets without leading zeros. */
function ipv4Bytes(text: string, bytes: Bytes): boolean {
  let octet = 0;
  let digits = 0;
  let value = 0;
  for (let i = 0; i <= text.length; i++) {
    const code = i === text.length ? 46 : text.charCodeAt(i);
    if (code === 46) {
      if (digits === 0 || value > 255 || octet > 3) return false;
      bytes[octet++] = value;
      digits = 0;
      value = 0;
    } else if (code >= 48 && code <= 57) {
      if (digits > 0 && value === 0) return false;
      if (++digits > 3) return false;
      value = value * 10 + code - 48;
    } else {
      return false;
    }
  }
  return octet === 4;
}

function hexValue(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

function badMac(text: string): Error {
  return invalid("ffi.encode", `Cannot encode MAC address ${quoted(text)}: six hex pairs are needed`);
}

const hexPairs = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));
