/** Lease records, written and read in flannel's form. What cannot be used is refused with a reason, never thrown. */
import { messageOf } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import { isPrintable, printable, quoted } from "../net/text.ts";
import { fieldNames, goFields, isBounded, isObject, type JsonObject } from "./go_json.ts";
import { parseKey, type Subnets } from "./key.ts";
import type { Lease, Refusal, RefusalCode } from "./lease.ts";
import { type OtherPlane, readOtherPlanes } from "./other_planes.ts";
import type { LeaseRecord } from "./store.ts";
import { type Family, formatIp, parseIp } from "../net/ip.ts";

/** The largest backend data of a known backend (WireGuard's key and port) is under 100 bytes. */
const DATA_BOUNDS = { limit: 4096, depth: 8 };
const FIELDS = fieldNames("PublicIP", "PublicIPv6", "BackendType", "BackendData", "BackendV6Data");
const MAX_NODE = 128;
/** Eight groups, the last two in the form of IPv4. */
const MAX_IP = 45;
const MAX_REASON = 200;

export function isRefusal(result: Lease | Refusal): result is Refusal {
  return "reason" in result;
}

/** Records do not change; one that was read stays what it is, and views are made of the same ones again and again. */
const decoded = new WeakMap<LeaseRecord, Lease | Refusal>();

/**
 * Reads one record. The record's value comes from other hosts: whatever it is, the answer is a lease or a
 * refusal (`bad-key`, `bad-value`, `bad-endpoint`, `bad-backend-type`, `bad-backend-data`,
 * `bad-node`), and nothing in either is longer or stranger than a terminal can bear.
 */
export function decodeRecord(record: LeaseRecord): Lease | Refusal {
  const known = decoded.get(record);
  if (known !== undefined) return known;
  const result = decode(record);
  decoded.set(record, result);
  return result;
}

function decode(record: LeaseRecord): Lease | Refusal {
  let subnets: Subnets;
  try {
    subnets = parseKey(record.key);
  } catch (error) {
    const reason = printable(messageOf(error), MAX_REASON);
    return { subnet: printable(record.key, 40), code: "bad-key", reason };
  }
  const { subnet, subnet6 } = subnets;
  const refuse = (code: RefusalCode, reason: string): Refusal => ({
    subnet,
    code,
    reason: printable(reason, MAX_REASON),
  });
  if (!isObject(record.value)) {
    return refuse("bad-value", `the value is ${kindOf(record.value)}, not an object`);
  }
  const { fields } = goFields(record.value, FIELDS);
  const wrong = wrongTypes(fields);
  if (wrong !== undefined) return refuse("bad-value", wrong);
  const publicIp4 = (fields.PublicIP ?? NOBODY[4]) as string;
  if (!isIp(publicIp4, 4)) {
    return refuse("bad-endpoint", `PublicIP is ${quoted(publicIp4)}, not an IPv4 address`);
  }
  const backendType = (fields.BackendType ?? "") as string;
  if (!/^[\w.-]{0,32}$/.test(backendType)) {
    return refuse("bad-backend-type", `BackendType is ${quoted(backendType)}, not a backend's name`);
  }
  for (const name of ["BackendData", "BackendV6Data"] as const) {
    const fault = faultOf(fields[name] ?? null);
    if (fault !== undefined) return refuse("bad-backend-data", `${name} ${fault}`);
  }
  const publicIp6 = ipv6(fields.PublicIPv6 ?? null);
  const isIpv6 = subnet.includes(":");
  if (isIpv6 && publicIp6 === undefined && (fields.PublicIPv6 ?? null) !== null) {
    return refuse("bad-endpoint", `PublicIPv6 is ${quoted(fields.PublicIPv6!)}, not an IPv6 address`);
  }
  const { node, expires, revision } = record;
  if (node !== undefined && (node.length > MAX_NODE || !isPrintable(node))) {
    return refuse("bad-node", `the node is ${quoted(node)}, not an identity`);
  }
  const own = {
    ...(expires === undefined ? reservedIpIn(record, isIpv6 ? 6 : 4) : {}),
    ...otherPlanesIn(record),
    node,
    expires,
    revision,
  };
  if (isIpv6) {
    const publicIp = publicIp6 ?? NOBODY[6];
    return { subnet, publicIp, backendType, backendData: fields.BackendV6Data ?? undefined, ...own };
  }
  return {
    subnet,
    publicIp: publicIp4,
    backendType,
    backendData: fields.BackendData ?? undefined,
    ...(subnet6 === undefined ? {} : { subnet6 }),
    ...(publicIp6 === undefined ? {} : { publicIp6 }),
    ...(fields.BackendV6Data == null ? {} : { backendV6Data: fields.BackendV6Data }),
    ...own,
  };
}

/** What stands in the place of a host's address where there is none. flannel writes and reads the one of IPv4. */
const NOBODY: Readonly<Record<Family, string>> = { 4: "0.0.0.0", 6: "::" };

/** Whether the address of a lease is none, as in a reservation that is not for an address. */
export function isNobody(publicIp: string): boolean {
  return publicIp === NOBODY[4] || publicIp === NOBODY[6];
}

/** The address of a lease that announces none. */
export function nobody(family: Family): string {
  return NOBODY[family];
}

/** The underlay address that a record announces, or undefined where it cannot be used. */
export function addressIn(record: LeaseRecord): string | undefined {
  const lease = decodeRecord(record);
  return isRefusal(lease) ? undefined : lease.publicIp;
}

/**
 * flannel's JSON value of a lease: the same fields in the same order, the optional ones left out when empty. What a lease
 * of IPv6 alone says stands in the fields of IPv6.
 */
export function encodeLease({ publicIp, publicIp6, backendType, ...lease }: Announcement): JsonObject {
  const isIpv6 = publicIp.includes(":");
  const address6 = isIpv6 ? publicIp : publicIp6;
  const [data, data6] = isIpv6 ? [undefined, lease.backendData] : [lease.backendData, lease.backendV6Data];
  return {
    PublicIP: isIpv6 ? NOBODY[4] : publicIp,
    PublicIPv6: address6 === undefined || address6 === NOBODY[6] ? null : address6,
    ...(backendType === "" ? {} : { BackendType: backendType }),
    ...(data === undefined ? {} : { BackendData: data }),
    ...(data6 === undefined ? {} : { BackendV6Data: data6 }),
  };
}

/** What a lease tells peers. */
interface Announcement extends Pick<Lease, "publicIp" | "backendType" | "backendData"> {
  readonly publicIp6?: string | undefined;
  readonly backendV6Data?: Json | undefined;
}

type Fields = ReturnType<typeof goFields<"PublicIP" | "PublicIPv6" | "BackendType">>["fields"];

/** The first field whose type flannel's own decoder would refuse. */
function wrongTypes(fields: Fields): string | undefined {
  const publicIp = fields.PublicIP;
  if (publicIp !== undefined && typeof publicIp !== "string") {
    return `PublicIP is ${kindOf(publicIp)}, not a string`;
  }
  for (const name of ["PublicIPv6", "BackendType"] as const) {
    const value = fields[name] ?? "";
    if (typeof value !== "string") return `${name} is ${kindOf(value)}, not a string`;
  }
  return undefined;
}

function faultOf(data: Json): string | undefined {
  if (!isBounded(data, DATA_BOUNDS)) return "is larger than 4 KiB or nested too deeply";
  // The extension backend announces the output of a program, which may have several lines.
  const text = typeof data === "string" ? data.replaceAll(/[\n\t]/g, " ") : data;
  return hasOnlyPrintable(text) ? undefined : "holds characters that a terminal would obey";
}

function hasOnlyPrintable(value: Json): boolean {
  if (typeof value === "string") return isPrintable(value);
  if (typeof value !== "object" || value === null) return true;
  return Object.keys(value).every((key) => isPrintable(key) && hasOnlyPrintable((value as JsonObject)[key]!));
}

/** The address, canonical; undefined for none, and for text that is none: a lease of IPv4 does not need it. */
function ipv6(text: Json): string | undefined {
  if (typeof text !== "string" || !text.includes(":")) return undefined;
  try {
    return formatIp(parseIp(text));
  } catch {
    return undefined;
  }
}

function otherPlanesIn(record: LeaseRecord): { otherPlanes?: readonly OtherPlane[] } {
  const otherPlanes = readOtherPlanes(record.otherPlanes);
  return otherPlanes === undefined ? {} : { otherPlanes };
}

/** Text that is no address reserves nothing, and hides no lease. */
function reservedIpIn({ reservedIp }: LeaseRecord, family: Family): { reservedIp?: string } {
  return reservedIp !== undefined && isIp(reservedIp, family) ? { reservedIp } : {};
}

function isIp(text: string, family: Family): boolean {
  if (text.length > MAX_IP) return false;
  try {
    return parseIp(text).family === family;
  } catch {
    return false;
  }
}

function kindOf(value: Json): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}
