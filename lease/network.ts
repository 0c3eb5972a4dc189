/**
 * The network config: flannel's JSON, its defaults and its checks (reference: flannel's documentation of
 * `Network`, `SubnetLen`, `SubnetMin`, `SubnetMax`, `Backend`; the order of the checks is that of its code).
 */
import { invalid, messageOf } from "../net/errors.ts";
import type { Cidr } from "../net/ip.ts";
import {
  cidrOf,
  contains,
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
import { fieldNames, goFields, isBounded, isObject } from "./go_json.ts";

/** One address family of a network. */
export interface SubnetRange {
  /** The whole overlay. */
  readonly network: Cidr;
  /** Prefix length of each host's subnet. */
  readonly subnetLength: number;
  /** The first and the last subnet that may be leased. */
  readonly subnetMin: Cidr;
  readonly subnetMax: Cidr;
}

/** What stands in the fields of a range is the first family: IPv4, unless the network has IPv6 alone. */
export interface NetworkConfig extends SubnetRange {
  /** The second family of a dual-stack network, always IPv6. */
  readonly ipv6?: SubnetRange;
  /** Lower-case backend name; flannel's default where the config names none is "udp". */
  readonly backendType: string;
  /** The options beside `Type`, keys as written. */
  readonly backendOptions: { readonly [key: string]: Json };
  /** Keys that no version of flannel or flan knows, as written; reported, not refused. */
  readonly unknownKeys: readonly string[];
}

const CONFIG = fieldNames(
  "EnableIPv4",
  "EnableIPv6",
  "EnableNFTables",
  "Network",
  "IPv6Network",
  "SubnetLen",
  "SubnetMin",
  "SubnetMax",
  "IPv6SubnetLen",
  "IPv6SubnetMin",
  "IPv6SubnetMax",
  "Backend",
);
const BACKEND = fieldNames("Type");
type Fields = { readonly [name: string]: Json | undefined };

/** A host needs a tunnel and a bridge address (flannel's check). */
const LONGEST_SUBNET = 30;
/** At least four subnets must fit (flannel's check). */
const MIN_SUBNET_BITS = 2;
const BOUNDS = { limit: 64 * 1024, depth: 16 };

/** Reads flannel's network config. Throws `invalid` with the key, its value and the reason. */
export function parseNetworkConfig(value: Json): NetworkConfig {
  if (!isObject(value)) throw bad(`${quoted(value)} is not a JSON object`);
  if (!isBounded(value, BOUNDS)) throw bad("it is larger than 64 KiB or nested too deeply");
  const { fields, others }: { fields: Fields; others: string[] } = goFields(value, CONFIG);
  const enableIPv4 = flag(fields, "EnableIPv4", true);
  const enableIPv6 = flag(fields, "EnableIPv6", false);
  flag(fields, "EnableNFTables", false);
  const network = networkOf(fields);
  const givenLength = subnetLen(fields);
  const min = ipv4(fields, "SubnetMin");
  const max = ipv4(fields, "SubnetMax");
  if (!enableIPv4) throw bad("EnableIPv4 is false: this version carries IPv4 only");
  if (enableIPv6) throw bad("EnableIPv6 is true: IPv6 is not carried by this version");
  if (network === undefined) throw bad("Network is missing");
  const subnetLength = checkedLength(network, givenLength);
  return {
    network,
    subnetLength,
    ...range(network, subnetLength, { min, max }),
    ...backend(fields),
    unknownKeys: others,
  };
}

/** What a person says of a new network. */
export interface NewNetwork {
  /** The overlay, as `10.244.0.0/16`. */
  readonly network: string;
  readonly subnetLen?: number | undefined;
  /** Addresses, as `10.244.1.0`. */
  readonly subnetMin?: string | undefined;
  readonly subnetMax?: string | undefined;
  readonly backend: { readonly Type: string; readonly [option: string]: Json };
}

/** The config of a new network in flannel's form, checked as on reading. Throws `invalid`. */
export function newNetworkConfig(wanted: NewNetwork): Json {
  const value: Json = {
    Network: wanted.network,
    ...(wanted.subnetLen === undefined ? {} : { SubnetLen: wanted.subnetLen }),
    ...(wanted.subnetMin === undefined ? {} : { SubnetMin: wanted.subnetMin }),
    ...(wanted.subnetMax === undefined ? {} : { SubnetMax: wanted.subnetMax }),
    Backend: wanted.backend,
  };
  requireUnicast(parseNetworkConfig(value));
  return value;
}

/**
 * Refuses a network that holds addresses which no host can have, or which mean something else on every host.
 * Only for networks that are started or changed: flannel takes such a config, and hosts that share it must too.
 */
export function requireUnicast({ network }: Pick<NetworkConfig, "network">): void {
  const taken = special.find(([range]) => overlaps(network, parseCidr(range)));
  if (taken === undefined) return;
  throw bad(`Network is ${formatCidr(network)}: it overlaps ${taken[0]}, ${taken[1]}`);
}

/** RFC 6890, and RFC 1112 for class E. */
const special = [
  ["0.0.0.0/8", "which stands for this host"],
  ["127.0.0.0/8", "which is loopback"],
  ["169.254.0.0/16", "which is link-local"],
  ["224.0.0.0/4", "which is multicast"],
  ["240.0.0.0/4", "which is reserved"],
] as const;

/** How many subnets may be leased. */
export function subnetCount(config: NetworkConfig): number {
  return Number((config.subnetMax.address - config.subnetMin.address) / size(config.subnetMin)) + 1;
}

/** Whether the config could have given this subnet to a host. */
export function isSubnetOf(config: NetworkConfig, subnet: Cidr): boolean {
  return subnet.family === 4 && subnet.length === config.subnetLength &&
    subnet.address >= config.subnetMin.address && subnet.address <= config.subnetMax.address;
}

function networkOf(fields: Fields): Cidr | undefined {
  const text = fields["Network"];
  if (text === undefined) return undefined;
  if (typeof text !== "string") {
    throw bad(`Network is ${quoted(text)}: a string such as "10.5.0.0/16" is needed`);
  }
  const { cidr } = parsed("Network", text, parsePrefix);
  if (cidr.family !== 4) throw bad(`Network is ${quoted(text)}: IPv6 is not carried by this version`);
  return cidr;
}

function subnetLen(fields: Fields): number {
  const value = fields["SubnetLen"] ?? 0;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw bad(`SubnetLen is ${quoted(value)}: a whole number is needed`);
  }
  return value;
}

function checkedLength(network: Cidr, given: number): number {
  const text = formatCidr(network);
  if (given === 0) {
    if (network.length > 28) throw bad(`Network is ${text}: too small, /28 is the minimum`);
    return network.length <= 22 ? 24 : network.length + MIN_SUBNET_BITS;
  }
  if (given > LONGEST_SUBNET) {
    throw bad(`SubnetLen is ${given}: at most ${LONGEST_SUBNET} leaves a host its two addresses`);
  }
  if (given < network.length + MIN_SUBNET_BITS) {
    throw bad(
      `SubnetLen is ${given}: Network ${text} must hold four subnets, so ${
        network.length + MIN_SUBNET_BITS
      } or more is needed`,
    );
  }
  return given;
}

function range(network: Cidr, length: number, given: { min: Ip | undefined; max: Ip | undefined }) {
  const step = 1n << BigInt(32 - length);
  const inside = (name: string, ip: Ip | undefined, other: bigint): Ip => {
    if (ip === undefined) return { family: 4, value: other };
    if (!contains(network, ip)) throw bad(`${name} is ${formatIp(ip)}: it is not in ${formatCidr(network)}`);
    return ip;
  };
  const min = inside("SubnetMin", given.min, network.address + step);
  const max = inside("SubnetMax", given.max, lastAddress(network) + 1n - step);
  const aligned = (name: string, ip: Ip): Cidr => {
    const cidr = cidrOf(ip, length);
    if (cidr.address === ip.value) return cidr;
    throw bad(`${name} is ${formatIp(ip)}: it is not on a /${length} boundary, ${formatCidr(cidr)} is`);
  };
  const subnetMin = aligned("SubnetMin", min);
  const subnetMax = aligned("SubnetMax", max);
  if (subnetMin.address > subnetMax.address) {
    throw bad(`SubnetMin is ${formatIp(min)}: it lies after SubnetMax ${formatIp(max)}`);
  }
  return { subnetMin, subnetMax };
}

function backend(fields: Fields): Pick<NetworkConfig, "backendType" | "backendOptions"> {
  const value = fields["Backend"];
  if (value === undefined) return { backendType: "udp", backendOptions: {} };
  if (!isObject(value)) throw bad(`Backend is ${quoted(value)}: an object with a Type is needed`);
  const { fields: { Type: type }, others } = goFields(value, BACKEND);
  if (type === undefined) throw bad("Backend has no Type");
  if (typeof type !== "string" || !/^[a-z0-9][a-z0-9-]{0,31}$/i.test(type)) {
    throw bad(`Backend.Type is ${quoted(type)}: a backend's name such as "vxlan" is needed`);
  }
  const options = Object.fromEntries(others.map((key) => [key, value[key]!]));
  return { backendType: type.toLowerCase(), backendOptions: options };
}

/** A boolean; Go leaves the default in place for null. */
function flag(fields: Fields, name: string, fallback: boolean): boolean {
  const value = fields[name] ?? fallback;
  if (typeof value !== "boolean") throw bad(`${name} is ${quoted(value)}: true or false is needed`);
  return value;
}

/** An address, or undefined where it is missing or 0.0.0.0; null is an error, as in flannel. */
function ipv4(fields: Fields, name: string): Ip | undefined {
  const text = fields[name];
  if (text === undefined) return undefined;
  if (typeof text !== "string") throw bad(`${name} is ${quoted(text)}: an address in a string is needed`);
  const ip = parsed(name, text, parseIp);
  if (ip.family !== 4) throw bad(`${name} is ${quoted(text)}: an IPv4 address is needed`);
  return ip.value === 0n ? undefined : ip;
}

/** `parse(text)`, with the field named in the error. */
function parsed<T>(name: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    const message = messageOf(error);
    throw bad(`${name} is ${quoted(text)}: ${message.slice(message.lastIndexOf(": ") + 2)}`);
  }
}

function bad(why: string): Error {
  return invalid("network.parse", `Cannot use the network config: ${why}`);
}
