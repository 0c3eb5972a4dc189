/**
 * ICMP echo (RFC 792) and ICMPv6 echo (RFC 4443), for hosts that answer it and nothing else. The identifier and the data
 * hold a probe's token.
 */
import type { Family } from "../net/ip.ts";
import { IP_HEADER, type Token } from "./packet.ts";

const ECHO_REPLY: Readonly<Record<Family, number>> = { 4: 0, 6: 129 };
const ECHO_REQUEST: Readonly<Record<Family, number>> = { 4: 8, 6: 128 };
/** Type, code, checksum, identifier, sequence number. */
const HEAD = 8;
const TOKEN_BYTES = 8;

/** An echo request whose packet has `size` bytes, headers and all. The kernel fills in the checksum of ICMPv6. */
export function encodeEcho(
  token: Token,
  { family, size }: { family: Family; size: number },
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.max(HEAD + TOKEN_BYTES, size - IP_HEADER[family]));
  bytes[0] = ECHO_REQUEST[family];
  bytes.set(Uint8Array.fromHex(token), HEAD);
  // Connection tracking tells echoes apart by their identifier.
  bytes.set(bytes.subarray(HEAD, HEAD + 4), 4);
  if (family === 4) new DataView(bytes.buffer).setUint16(2, checksum(bytes));
  return bytes;
}

/** The token of an echo reply as a raw socket gives it, of ICMP with its IPv4 header; undefined for anything else. */
export function decodeEchoReply(packet: Uint8Array, family: Family): Token | undefined {
  const header = family === 4 ? ((packet[0] ?? 0) & 15) * 4 : 0;
  const bytes = packet.subarray(header);
  if (family === 4 && header < IP_HEADER[4] || bytes.length < HEAD + TOKEN_BYTES) return undefined;
  if (bytes[0] !== ECHO_REPLY[family] || bytes[1] !== 0) return undefined;
  return bytes.subarray(HEAD, HEAD + TOKEN_BYTES).toHex();
}

/** RFC 1071. */
function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) + (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
