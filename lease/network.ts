/** The network config: flannel's JSON, its defaults and its checks, for IPv4, IPv6 or both. */
import type { Json } from "../net/json.ts";
import { FlanError } from "../net/errors.ts";
import { parseCidr } from "../net/ip.ts";
import { quoted } from "../net/text.ts";
import { FORMER_BACKENDS, readFormerBackends } from "./former_backends.ts";
import { fieldNames, goFields, isBounded, isObject } from "./go_json.ts";
import { isDualStackKey, subnetIn, subnetOfKey } from "./key.ts";
import {
  badConfig,
  checkedRange,
  type Fields,
  givenRange,
  isSubnetOf,
  requireUnicast,
  type SubnetRange,
} from "./subnet_range.ts";

/** A backend as a config names it. */
export interface BackendConfig {
  /** Lower-case backend name; flannel's default where the config names none is "udp". */
  readonly backendType: string;
  /** The options beside `Type`, keys as written. */
  readonly backendOptions: { readonly [key: string]: Json };
}

/** What stands in the fields of a range is the first family: IPv4, unless the network has IPv6 alone. */
export interface NetworkConfig extends SubnetRange, BackendConfig {
  /** The second family of a dual-stack network, always IPv6. */
  readonly ipv6?: SubnetRange;
  /** What hosts that have not moved may still be on, the latest first; undefined for none. */
  readonly formerBackends?: readonly BackendConfig[];
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
  FORMER_BACKENDS,
);
const BACKEND = fieldNames("Type");

const BOUNDS = { limit: 64 * 1024, depth: 16 };

/** Reads flannel's network config. Throws `invalid` with the key, its value and the reason. */
export function parseNetworkConfig(value: Json): NetworkConfig {
  if (!isObject(value)) throw badConfig(`${quoted(value)} is not a JSON object`);
  if (!isBounded(value, BOUNDS)) throw badConfig("it is larger than 64 KiB or nested too deeply");
  const { fields, others }: { fields: Fields; others: string[] } = goFields(value, CONFIG);
  const enableIPv4 = flag(fields, "EnableIPv4", true);
  const enableIPv6 = flag(fields, "EnableIPv6", false);
  flag(fields, "EnableNFTables", false);
  const [given4, given6] = [givenRange(fields, 4), givenRange(fields, 6)];
  if (!enableIPv4 && !enableIPv6) throw badConfig("EnableIPv4 is false, and EnableIPv6 is not true");
  const first = enableIPv4 ? checkedRange(given4, 4) : checkedRange(given6, 6);
  return {
    ...first,
    ...(enableIPv4 && enableIPv6 ? { ipv6: checkedRange(given6, 6) } : {}),
    ...backend(fields["Backend"]),
    ...formerBackends(fields),
    unknownKeys: others,
  };
}

/** What a person says of one family of a new network. */
export interface NewRange {
  /** The overlay, as `10.244.0.0/16`. */
  readonly network: string;
  readonly subnetLen?: number | undefined;
  /** Addresses, as `10.244.1.0`. */
  readonly subnetMin?: string | undefined;
  readonly subnetMax?: string | undefined;
}

/** What a person says of a new network: one family at least. */
export interface NewNetwork {
  readonly ipv4?: NewRange | undefined;
  readonly ipv6?: NewRange | undefined;
  readonly backend: { readonly Type: string; readonly [option: string]: Json };
}

/** The config of a new network in flannel's form, checked as on reading. Throws `invalid`. */
export function newNetworkConfig({ ipv4, ipv6, backend }: NewNetwork): Json {
  const value: Json = {
    ...(ipv4 === undefined ? { EnableIPv4: false } : {}),
    ...(ipv6 === undefined ? {} : { EnableIPv6: true }),
    ...rangeFields(ipv4, ""),
    ...rangeFields(ipv6, "IPv6"),
    Backend: backend,
  };
  requireUsable(parseNetworkConfig(value));
  return value;
}

/** Refuses a network that is started or changed where {@link requireUnicast} does, in either family. */
export function requireUsable(config: NetworkConfig): void {
  requireUnicast(config);
  if (config.ipv6 !== undefined) requireUnicast(config.ipv6);
}

/** Whether a host can have a lease with this key: subnets of the right sizes, one of each family. */
export function givesOut(config: NetworkConfig, key: string): boolean {
  const subnet = subnetOfKey(key);
  if (subnet === undefined || !isSubnetOf(config, parseCidr(subnet))) return false;
  if (config.ipv6 === undefined) return !isDualStackKey(key);
  const subnet6 = isDualStackKey(key) ? subnetIn(key, 6) : undefined;
  return subnet6 !== undefined && isSubnetOf(config.ipv6, parseCidr(subnet6));
}

function rangeFields(range: NewRange | undefined, before: "" | "IPv6"): { [name: string]: Json } {
  if (range === undefined) return {};
  const { network, subnetLen, subnetMin, subnetMax } = range;
  return {
    [`${before}Network`]: network,
    ...(subnetLen === undefined ? {} : { [`${before}SubnetLen`]: subnetLen }),
    ...(subnetMin === undefined ? {} : { [`${before}SubnetMin`]: subnetMin }),
    ...(subnetMax === undefined ? {} : { [`${before}SubnetMax`]: subnetMax }),
  };
}

function formerBackends(fields: Fields): Pick<NetworkConfig, "formerBackends"> {
  const former = readFormerBackends(fields[FORMER_BACKENDS]).flatMap((value) => {
    try {
      return [backend(value)];
    } catch (error) {
      if (!(error instanceof FlanError)) throw error;
      return [];
    }
  });
  return former.length === 0 ? {} : { formerBackends: former };
}

function backend(value: Json | undefined): BackendConfig {
  if (value === undefined) return { backendType: "udp", backendOptions: {} };
  if (!isObject(value)) throw badConfig(`Backend is ${quoted(value)}: an object with a Type is needed`);
  const { fields: { Type: type }, others } = goFields(value, BACKEND);
  if (type === undefined) throw badConfig("Backend has no Type");
  if (typeof type !== "string" || !/^[a-z0-9][a-z0-9-]{0,31}$/i.test(type)) {
    throw badConfig(`Backend.Type is ${quoted(type)}: a backend's name such as "vxlan" is needed`);
  }
  const options = Object.fromEntries(others.map((key) => [key, value[key]!]));
  return { backendType: type.toLowerCase(), backendOptions: options };
}

/** A boolean; Go leaves the default in place for null. */
function flag(fields: Fields, name: string, fallback: boolean): boolean {
  const value = fields[name] ?? fallback;
  if (typeof value !== "boolean") throw badConfig(`${name} is ${quoted(value)}: true or false is needed`);
  return value;
}
