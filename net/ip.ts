/**
 * IPv4 and IPv6 addresses and prefixes: parsed strictly, written canonically, with the arithmetic flan needs.
 * Both families are one type, a family and a number, so that nothing above has to be written twice.
 *
 * Everywhere else in flan an address or a prefix that is only carried around is its canonical text; it is
 * parsed into these types where something is computed.
 */
import { invalid } from "./errors.ts";
import { quoted } from "./text.ts";

export type Family = 4 | 6;

export interface Ip {
  readonly family: Family;
  readonly value: bigint;
}

/** A prefix whose host bits are zero. */
export interface Cidr {
  readonly family: Family;
  readonly address: bigint;
  /** 0 to 32, or 0 to 128. */
  readonly length: number;
}

/** The family of an address or a prefix in canonical text. */
export function familyOf(text: string): Family {
  return text.includes(":") ? 6 : 4;
}

/** The number of bits of an address. */
export function bits(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/**
 * Parses one address. IPv4 needs four decimal octets without leading zeros; IPv6 is RFC 4291 text, without a
 * zone. Throws `invalid` with the text and the reason.
 */
export function parseIp(text: string): Ip {
  return text.includes(":")
    ? { family: 6, value: parseIpv6(text) }
    : { family: 4, value: BigInt(parseIpv4(text)) };
}

/**
 * Parses `address/length`. Host bits are kept: `ip` is the address as written, `cidr` its network. Throws
 * `invalid`.
 */
export function parsePrefix(text: string): { ip: Ip; cidr: Cidr } {
  const slash = text.indexOf("/");
  if (slash < 0) throw bad("prefix", text, "a length is missing, as in 10.5.0.0/16");
  const ip = parseIp(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(digits) || Number(digits) > bits(ip.family)) {
    throw bad("prefix", text, `the length must be 0 to ${bits(ip.family)}`);
  }
  return { ip, cidr: cidrOf(ip, Number(digits)) };
}

/** Parses a prefix that must be a network: no host bits set. Throws `invalid`. */
export function parseCidr(text: string): Cidr {
  const { ip, cidr } = parsePrefix(text);
  if (cidr.address !== ip.value) {
    throw bad("network", text, `host bits are set, ${formatCidr(cidr)} is meant`);
  }
  return cidr;
}

/** The network of `length` bits that holds `ip`. */
export function cidrOf(ip: Ip, length: number): Cidr {
  return { family: ip.family, address: ip.value & mask(ip.family, length), length };
}

/** The netmask of `length` bits as a number. */
export function mask(family: Family, length: number): bigint {
  return masks[family][length]!;
}

/** How many addresses the prefix holds. */
export function size(cidr: Cidr): bigint {
  return 1n << BigInt(bits(cidr.family) - cidr.length);
}

export function lastAddress(cidr: Cidr): bigint {
  return cidr.address + size(cidr) - 1n;
}

export function contains(cidr: Cidr, ip: Ip): boolean {
  return cidr.family === ip.family && ip.value >= cidr.address && ip.value <= lastAddress(cidr);
}

/** Whether all of `inner` lies in `outer` (equal prefixes cover each other). */
export function covers(outer: Cidr, inner: Cidr): boolean {
  return outer.length <= inner.length && contains(outer, { family: inner.family, value: inner.address });
}

export function overlaps(a: Cidr, b: Cidr): boolean {
  return covers(a, b) || covers(b, a);
}

export function sameCidr(a: Cidr, b: Cidr): boolean {
  return a.family === b.family && a.address === b.address && a.length === b.length;
}

/** Sorts by family, then address, then length: the order in which prefixes are shown. */
export function compareCidr(a: Cidr, b: Cidr): number {
  if (a.family !== b.family) return a.family - b.family;
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  return a.length - b.length;
}

export function formatIp(ip: Ip): string {
  return ip.family === 4 ? formatIpv4(Number(ip.value)) : formatIpv6(ip.value);
}

export function formatCidr(cidr: Cidr): string {
  return `${formatIp({ family: cidr.family, value: cidr.address })}/${cidr.length}`;
}

/** 4 or 16 bytes in network order. */
export function ipToBytes(ip: Ip): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(bits(ip.family) / 8);
  let rest = ip.value;
  for (let i = bytes.length - 1; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}

/** The address in 4 or 16 bytes of network order. Throws RangeError for any other number of bytes. */
export function ipFromBytes(bytes: Uint8Array): Ip {
  if (bytes.length !== 4 && bytes.length !== 16) {
    throw new RangeError(`Cannot read an address from ${bytes.length} bytes: 4 or 16 are needed`);
  }
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return { family: bytes.length === 4 ? 4 : 6, value };
}

/** Whether the address can be a host's own: not unspecified, loopback, multicast, IPv4 class E/broadcast, or IPv4 in IPv6. */
export function isHostAddress(ip: Ip): boolean {
  return ip.value !== 0n && !neverHosts.some((cidr) => contains(cidr, ip));
}

/** 169.254.0.0/16 (RFC 3927) or fe80::/10 (RFC 4291). */
export function isLinkLocal(ip: Ip): boolean {
  return linkLocal.some((cidr) => contains(cidr, ip));
}

/**
 * 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 (RFC 1918), 100.64.0.0/10 (RFC 6598) or fc00::/7 (RFC 4193): others may have
 * the same one elsewhere.
 */
export function isPrivate(ip: Ip): boolean {
  return privates.some((cidr) => contains(cidr, ip));
}

/** By character rather than by pattern: a view of ten thousand leases parses thirty thousand addresses. */
function parseIpv4(text: string): number {
  let value = 0;
  let octet = 0;
  let digits = 0;
  let dots = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit >= 0 && digit <= 9) {
      if (digits === 1 && octet === 0) throw bad("address", text, "an octet has a leading zero");
      octet = octet * 10 + digit;
      if (octet > 255) throw bad("address", text, "an octet is larger than 255");
      digits++;
    } else {
      if (text[i] !== "." || digits === 0) throw bad("address", text, "an octet is not a decimal number");
      if (++dots > 3) break;
      value = value * 256 + octet;
      octet = digits = 0;
    }
  }
  if (dots !== 3 || digits === 0) throw bad("address", text, "four octets are needed");
  return value * 256 + octet;
}

function parseIpv6(text: string): bigint {
  if (text.includes("%")) throw bad("address", text, "zone ids are not accepted");
  if (text.length > 45) throw bad("address", text, "it is too long");
  const halves = text.split("::");
  if (halves.length > 2) throw bad("address", text, '"::" stands twice');
  const head = groups(halves[0]!, text, halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1]!, text, true) : [];
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) {
    throw bad("address", text, "eight groups are needed");
  }
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return all.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** The 16-bit groups of one side of a "::"; the last side may end in an IPv4 address. */
function groups(side: string, text: string, last: boolean): number[] {
  if (side === "") return [];
  const parts = side.split(":");
  return parts.flatMap((part, i) => {
    if (last && i === parts.length - 1 && part.includes(".")) {
      const v4 = parseIpv4(part);
      return [Math.floor(v4 / 65536), v4 % 65536];
    }
    if (!/^[0-9a-f]{1,4}$/i.test(part)) throw bad("address", text, "a group is not one to four hex digits");
    return [parseInt(part, 16)];
  });
}

function formatIpv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as "::". */
function formatIpv6(value: bigint): string {
  const all = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn));
  let best = { start: 0, length: 1 };
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && all[end] === 0) end++;
    if (end - i > best.length) best = { start: i, length: end - i };
  }
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  if (best.length < 2) return hex(all);
  return `${hex(all.slice(0, best.start))}::${hex(all.slice(best.start + best.length))}`;
}

function bad(what: string, text: string, why: string): Error {
  return invalid("net.ip", `Cannot parse ${what} ${quoted(text)}: ${why}`);
}

/** Every netmask by its length: prefixes are masked for each lease again and again. */
const masks: Readonly<Record<Family, readonly bigint[]>> = { 4: netmasks(32), 6: netmasks(128) };

function netmasks(width: number): readonly bigint[] {
  return Array.from(
    { length: width + 1 },
    (_, length) => ((1n << BigInt(length)) - 1n) << BigInt(width - length),
  );
}

const neverHosts = ["0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::1/128", "::ffff:0:0/96", "ff00::/8"].map(
  parseCidr,
);
const privates = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"].map(
  parseCidr,
);

const linkLocal = ["169.254.0.0/16", "fe80::/10"].map(parseCidr);
