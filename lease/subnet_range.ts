/**
 * One address family of a network: its overlay and the subnets that may be leased. Fields, defaults and the order of the
 * checks are flannel's, whose IPv6 fields have the same rules as its IPv4 ones with other limits.
 */
import { invalid, messageOf } from "../net/errors.ts";
import {
  bits,
  type Cidr,
  cidrOf,
  contains,
  type Family,
  formatCidr,
  formatIp,
  type Ip,
  lastAddress,
  overlaps,
  parseCidr,
  parseIp,
  parsePrefix,
  size,
} from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { quoted } from "../net/text.ts";

export interface SubnetRange {
  /** The whole overlay. */
  readonly network: Cidr;
  /** Prefix length of each host's subnet. */
  readonly subnetLength: number;
  /** The first and the last subnet that may be leased. */
  readonly subnetMin: Cidr;
  readonly subnetMax: Cidr;
}

/** What the config says of a family, its types checked. */
export interface GivenRange {
  readonly network: Cidr | undefined;
  /** 0 for none. */
  readonly subnetLen: number;
  readonly min: Ip | undefined;
  readonly max: Ip | undefined;
}

export type Fields = { readonly [name: string]: Json | undefined };

interface Names {
  readonly network: string;
  readonly length: string;
  readonly min: string;
  readonly max: string;
}

const NAMES: Readonly<Record<Family, Names>> = {
  4: { network: "Network", length: "SubnetLen", min: "SubnetMin", max: "SubnetMax" },
  6: { network: "IPv6Network", length: "IPv6SubnetLen", min: "IPv6SubnetMin", max: "IPv6SubnetMax" },
};
const EXAMPLES: Readonly<Record<Family, string>> = { 4: "10.5.0.0/16", 6: "fd00:5::/48" };

/** flannel's usual length of a subnet, where the network is large enough for it. */
const USUAL = { 4: 24, 6: 64 } as const;
/** At least four subnets must fit (flannel's check). */
const MIN_SUBNET_BITS = 2;

/** A host needs a tunnel and a bridge address (flannel's check): 30 or 126. */
export function longestSubnet(family: Family): number {
  return bits(family) - 2;
}

/** Reads the fields of a family, whether it is enabled or not. Throws `invalid` for what flannel cannot decode. */
export function givenRange(fields: Fields, family: Family): GivenRange {
  const names = NAMES[family];
  const network = networkOf(fields, family);
  const subnetLen = lengthOf(fields, names.length);
  return {
    network,
    subnetLen,
    min: address(fields, { name: names.min, family }),
    max: address(fields, { name: names.max, family }),
  };
}

/** The range of an enabled family. Throws `invalid` with the field, its value and the reason. */
export function checkedRange({ network, subnetLen, min, max }: GivenRange, family: Family): SubnetRange {
  if (network === undefined) throw badConfig(`${NAMES[family].network} is missing`);
  const subnetLength = checkedLength(network, subnetLen);
  return { network, subnetLength, ...bounds(network, subnetLength, { min, max }) };
}

/**
 * Refuses a network that holds addresses which no host can have, or which mean something else on every host.
 * Only for networks that are started or changed: flannel takes such a config, and hosts that share it must too.
 */
export function requireUnicast({ network }: Pick<SubnetRange, "network">): void {
  const taken = special.find(([range]) => overlaps(network, parseCidr(range)));
  if (taken === undefined) return;
  const name = NAMES[network.family].network;
  throw badConfig(`${name} is ${formatCidr(network)}: it overlaps ${taken[0]}, ${taken[1]}`);
}

/** RFC 6890; RFC 1112 for class E, and RFC 4291 for IPv6. */
const special = [
  ["0.0.0.0/8", "which stands for this host"],
  ["127.0.0.0/8", "which is loopback"],
  ["169.254.0.0/16", "which is link-local"],
  ["224.0.0.0/4", "which is multicast"],
  ["240.0.0.0/4", "which is reserved"],
  ["::/128", "which stands for no address"],
  ["::1/128", "which is loopback"],
  ["::ffff:0:0/96", "which is IPv4 in IPv6"],
  ["fe80::/10", "which is link-local"],
  ["ff00::/8", "which is multicast"],
] as const;

/** How many subnets may be leased; of more than 2^53 about so many. */
export function subnetCount(range: SubnetRange): number {
  return Number((range.subnetMax.address - range.subnetMin.address) / size(range.subnetMin)) + 1;
}

/** Whether the range could have given this subnet to a host. */
export function isSubnetOf(range: SubnetRange, subnet: Cidr): boolean {
  return subnet.family === range.network.family && subnet.length === range.subnetLength &&
    subnet.address >= range.subnetMin.address && subnet.address <= range.subnetMax.address;
}

/** An error that tells what of a network config cannot be used. */
export function badConfig(why: string): Error {
  return invalid("network.parse", `Cannot use the network config: ${why}`);
}

function networkOf(fields: Fields, family: Family): Cidr | undefined {
  const name = NAMES[family].network;
  const text = fields[name];
  if (text === undefined || family === 6 && text === null) return undefined;
  if (typeof text !== "string") {
    throw badConfig(`${name} is ${quoted(text)}: a string such as "${EXAMPLES[family]}" is needed`);
  }
  const { cidr } = parsed(name, text, parsePrefix);
  if (cidr.family !== family) throw badConfig(`${name} is ${quoted(text)}: it is not IPv${family}`);
  return cidr;
}

function lengthOf(fields: Fields, name: string): number {
  const value = fields[name] ?? 0;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw badConfig(`${name} is ${quoted(value)}: a whole number is needed`);
  }
  return value;
}

function checkedLength(network: Cidr, given: number): number {
  const names = NAMES[network.family];
  const [text, longest, usual] = [formatCidr(network), longestSubnet(network.family), USUAL[network.family]];
  const least = network.length + MIN_SUBNET_BITS;
  if (given === 0) {
    if (least > longest) {
      throw badConfig(`${names.network} is ${text}: too small, /${longest - MIN_SUBNET_BITS} is the minimum`);
    }
    return Math.max(least, usual);
  }
  if (given > longest) {
    throw badConfig(`${names.length} is ${given}: at most ${longest} leaves a host its two addresses`);
  }
  if (given < least) {
    throw badConfig(
      `${names.length} is ${given}: ${names.network} ${text} must hold four subnets, so ${least} or more is needed`,
    );
  }
  return given;
}

function bounds(network: Cidr, length: number, given: { min: Ip | undefined; max: Ip | undefined }) {
  const { family } = network;
  const names = NAMES[family];
  const step = 1n << BigInt(bits(family) - length);
  const inside = (name: string, ip: Ip | undefined, other: bigint): Ip => {
    if (ip === undefined) return { family, value: other };
    if (contains(network, ip)) return ip;
    throw badConfig(`${name} is ${formatIp(ip)}: it is not in ${formatCidr(network)}`);
  };
  const min = inside(names.min, given.min, network.address + step);
  const max = inside(names.max, given.max, lastAddress(network) + 1n - step);
  const aligned = (name: string, ip: Ip): Cidr => {
    const cidr = cidrOf(ip, length);
    if (cidr.address === ip.value) return cidr;
    throw badConfig(`${name} is ${formatIp(ip)}: it is not on a /${length} boundary, ${formatCidr(cidr)} is`);
  };
  const subnetMin = aligned(names.min, min);
  const subnetMax = aligned(names.max, max);
  if (subnetMin.address > subnetMax.address) {
    throw badConfig(`${names.min} is ${formatIp(min)}: it lies after ${names.max} ${formatIp(max)}`);
  }
  return { subnetMin, subnetMax };
}

/** An address, or undefined where it is missing or all zero; null is an error for IPv4 and none for IPv6, as in flannel. */
function address(fields: Fields, { name, family }: { name: string; family: Family }): Ip | undefined {
  const text = fields[name];
  if (text === undefined || family === 6 && text === null) return undefined;
  if (typeof text !== "string") {
    throw badConfig(`${name} is ${quoted(text)}: an address in a string is needed`);
  }
  const ip = parsed(name, text, parseIp);
  if (ip.family !== family) throw badConfig(`${name} is ${quoted(text)}: an IPv${family} address is needed`);
  return ip.value === 0n ? undefined : ip;
}

/** `parse(text)`, with the field named in the error. */
function parsed<T>(name: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    const message = messageOf(error);
    throw badConfig(`${name} is ${quoted(text)}: ${message.slice(message.lastIndexOf(": ") + 2)}`);
  }
}
