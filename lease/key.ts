/**
 * Store keys. flannel's are `10.5.1.0-24` for the subnet `10.5.1.0/24`, and `10.5.1.0-24&fd00:5:1::-64` in dual stack; a
 * network of IPv6 alone, which flannel has no keys for, has `fd00:5:1::-64`.
 */
import { invalid } from "../net/errors.ts";
import { type Family, familyOf, formatCidr, parseCidr } from "../net/ip.ts";
import { quoted } from "../net/text.ts";

/** flannel keeps an IPv4 length in five bits and an IPv6 length in seven, so a /32 or /128 cannot be read back by it. */
const LONGEST = { 4: 31, 6: 127 } as const;
/** `255.255.255.255-31`, and an IPv6 prefix of 39 characters and its length. */
const MAX_KEY = { 4: 18, 6: 43 } as const;

/** What a key names. */
export interface Subnets {
  /** Of the network's first family: `10.5.1.0/24`. */
  readonly subnet: string;
  /** `fd00:5:1::/64` in dual stack. */
  readonly subnet6?: string | undefined;
}

/** The key of a lease. Throws `invalid` for anything but networks of at most 31 and 127 bits. */
export function leaseKey({ subnet, subnet6 }: Subnets): string {
  return subnet6 === undefined ? halfKey(subnet) : `${halfKey(subnet)}&${halfKey(subnet6)}`;
}

/** What a key or a lease names, for a sentence: `10.5.1.0/24` or `10.5.1.0/24 and fd00:5:1::/64`. */
export function subnetsText({ subnet, subnet6 }: Subnets): string {
  return subnet6 === undefined ? subnet : `${subnet} and ${subnet6}`;
}

/**
 * The subnets of a key. Throws `invalid` for anything but the three forms, host bits and IPv6 text that is not canonical
 * (RFC 5952) included.
 */
export function parseKey(key: string): Subnets {
  const amp = key.indexOf("&");
  if (amp < 0) return { subnet: half(key, { text: key, family: familyOf(key) }) };
  return {
    subnet: half(key, { text: key.slice(0, amp), family: 4 }),
    subnet6: half(key, { text: key.slice(amp + 1), family: 6 }),
  };
}

/** Whether the key has the dual-stack form. */
export function isDualStackKey(key: string): boolean {
  return key.includes("&");
}

/**
 * The subnet of the network's first family that a key holds, or undefined; a key that names none holds none. Unlike
 * {@link parseKey} it does not mind what follows the `&`: flannel hosts read such keys by rules of their own, and the
 * subnet is not free.
 */
export function subnetOfKey(key: string): string | undefined {
  return halfOrNone(key.split("&", 1)[0]!);
}

/** The subnet of this family that a key holds, or undefined. It does not mind what is wrong with the other half. */
export function subnetIn(key: string, family: Family): string | undefined {
  const amp = key.indexOf("&");
  const text = amp < 0 ? key : family === 4 ? key.slice(0, amp) : key.slice(amp + 1);
  return familyOf(text) === family ? halfOrNone(text) : undefined;
}

/** All that a key holds, read half by half. */
export function subnetsIn(key: string): readonly string[] {
  return [subnetIn(key, 4), subnetIn(key, 6)].filter((subnet) => subnet !== undefined);
}

function halfKey(subnet: string): string {
  const cidr = parseCidr(subnet);
  if (cidr.length > LONGEST[cidr.family]) {
    throw invalid(
      "lease.key",
      `Cannot make a store key of ${quoted(subnet)}: a subnet of at most ${
        LONGEST[cidr.family]
      } bits is needed`,
    );
  }
  return formatCidr(cidr).replace("/", "-");
}

function halfOrNone(text: string): string | undefined {
  try {
    return half(text, { text, family: familyOf(text) });
  } catch {
    return undefined;
  }
}

function half(key: string, { text, family }: { text: string; family: Family }): string {
  const dash = text.indexOf("-");
  const form = key.includes("&")
    ? "10.5.1.0-24&fd00:5:1::-64"
    : family === 4
    ? "10.5.1.0-24"
    : "fd00:5:1::-64";
  if (dash < 0 || text.length > MAX_KEY[family]) throw bad(key, `the form ${form} is needed`);
  const subnet = `${text.slice(0, dash)}/${text.slice(dash + 1)}`;
  const cidr = parseCidr(subnet);
  if (cidr.family !== family) throw bad(key, `the form ${form} is needed`);
  if (cidr.length > LONGEST[family]) throw bad(key, `the length must be 0 to ${LONGEST[family]}`);
  // IPv4 is parsed so strictly that it has one text only.
  if (family === 6 && formatCidr(cidr) !== subnet) {
    throw bad(key, `${formatCidr(cidr).replace("/", "-")} is meant`);
  }
  return subnet;
}

function bad(key: string, why: string): Error {
  return invalid("lease.key", `Cannot use lease key ${quoted(key)}: ${why}`);
}
