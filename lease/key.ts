/** flannel's store keys: the subnet `10.5.1.0/24` is the key `10.5.1.0-24`. */
import { invalid } from "../net/errors.ts";
import { formatCidr, parseCidr } from "../net/ip.ts";
import { quoted } from "../net/text.ts";

/** flannel keeps an IPv4 length in five bits and an IPv6 length in seven, so a /32 or /128 cannot be read back by it. */
const LONGEST = { 4: 31, 6: 127 } as const;
/** `255.255.255.255-31`, and an IPv6 prefix of 39 characters and its length. */
const MAX_KEY = { 4: 18, 6: 43 } as const;

/** What a key names. */
export interface KeySubnets {
  /** `10.5.1.0/24`. */
  readonly subnet: string;
  /** `fd00:5:1::/64`, of a dual-stack lease of flannel's. */
  readonly subnet6: string | undefined;
}

/** The key of a subnet. Throws `invalid` for anything but an IPv4 network of at most 31 bits. */
export function subnetKey(subnet: string): string {
  const cidr = parseCidr(subnet);
  if (cidr.family !== 4 || cidr.length > LONGEST[4]) {
    throw invalid(
      "lease.key",
      `Cannot make a store key of ${quoted(subnet)}: an IPv4 subnet of at most ${LONGEST[4]} bits is needed`,
    );
  }
  return formatCidr(cidr).replace("/", "-");
}

/**
 * The subnets of a key: `10.5.1.0-24`, or `10.5.1.0-24&fd00:5:1::-64` as a dual-stack flannel writes it. Throws
 * `invalid` for anything else, host bits and IPv6 text that is not canonical (RFC 5952) included.
 */
export function parseKey(key: string): KeySubnets {
  const amp = key.indexOf("&");
  const subnet = half(key, { text: amp < 0 ? key : key.slice(0, amp), family: 4 });
  return { subnet, subnet6: amp < 0 ? undefined : half(key, { text: key.slice(amp + 1), family: 6 }) };
}

/** The IPv4 subnet of a key. Throws as {@link parseKey} does. */
export function keySubnet(key: string): string {
  return parseKey(key).subnet;
}

/** Whether the key has flannel's dual-stack form. */
export function isDualStackKey(key: string): boolean {
  return key.includes("&");
}

/**
 * The IPv4 subnet that a key holds, or undefined; a key that names none holds none. Unlike {@link parseKey} it does
 * not mind what follows the `&`: flannel hosts read such keys by rules of their own, and the subnet is not free.
 */
export function subnetOfKey(key: string): string | undefined {
  try {
    return keySubnet(key.split("&", 1)[0]!);
  } catch {
    return undefined;
  }
}

function half(key: string, { text, family }: { text: string; family: 4 | 6 }): string {
  const dash = text.indexOf("-");
  const form = family === 4 ? "10.5.1.0-24" : "10.5.1.0-24&fd00:5:1::-64";
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
