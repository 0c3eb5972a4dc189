/**
 * Whether flanneld can read a lease's value. It parses them by Go's encoding/json with its own types for addresses
 * (flannel's `pkg/ip`, `pkg/lease`); one that it cannot parse makes it drop all its peers (FLANNEL.md 3.1, 3.5).
 */
import type { Json } from "../../net/json.ts";
import { parseIp } from "../../net/ip.ts";
import { quoted } from "../../net/text.ts";
import { fieldNames, goFields, isObject } from "../go_json.ts";
import { parseBounded } from "../bounded_json.ts";

/** flannel knows no bounds; a value with more than these is none of its own. */
const MAX_JSON = { parts: 100_000, depth: 1000 };
const FIELDS = fieldNames("PublicIP", "PublicIPv6", "BackendType");

/** Why flannel cannot read the value, or undefined where it can. */
export function unreadable(text: string): string | undefined {
  const parsed = parseBounded(text, MAX_JSON);
  if (parsed === undefined) return `its value ${quoted(text)} is no JSON, or more than is looked at`;
  const { value } = parsed;
  // Go reads null into anything, as nothing.
  if (value === null) return undefined;
  if (!isObject(value)) return `its value ${quoted(value)} is no object`;
  const { PublicIP, PublicIPv6, BackendType } = goFields(value, FIELDS).fields;
  // Left out it is 0.0.0.0, but null is parsed like text.
  if (PublicIP !== undefined && !isIp(PublicIP, 4)) {
    return `its PublicIP ${quoted(PublicIP)} is no IPv4 address`;
  }
  if (PublicIPv6 !== undefined && PublicIPv6 !== null && !isIp(PublicIPv6, 6)) {
    return `its PublicIPv6 ${quoted(PublicIPv6)} is no IPv6 address`;
  }
  if (BackendType !== undefined && BackendType !== null && typeof BackendType !== "string") {
    return `its BackendType ${quoted(BackendType)} is no text`;
  }
  return undefined;
}

function isIp(value: Json, family: 4 | 6): boolean {
  if (typeof value !== "string" || value.length > 45) return false;
  try {
    return parseIp(value).family === family;
  } catch {
    return false;
  }
}
