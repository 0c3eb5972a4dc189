/** Whether anything changed that a data plane, or a person, would care about. */
import { sameCidr } from "../net/ip.ts";
import type { Json } from "../net/json.ts";
import { isObject } from "./go_json.ts";
import type { Lease, Refusal } from "./lease.ts";
import type { NetworkConfig } from "./network.ts";
import type { View } from "./view.ts";

/** Compares two views by value. Revisions and expiry times, which every renewal changes, do not count. */
export function sameView(a: View, b: View): boolean {
  return sameNetwork(a.network, b.network) &&
    sameLease(a.own, b.own) &&
    sameItems(a.peers, b.peers, sameLease) &&
    sameItems(a.refused, b.refused, sameRefusal);
}

/** Compares what two leases say of a host: everything but their revisions and expiry times. */
export function sameLease(a: Lease | undefined, b: Lease | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  return a.subnet === b.subnet && a.publicIp === b.publicIp && a.node === b.node &&
    a.backendType === b.backendType && sameJson(a.backendData, b.backendData);
}

/** Compares two JSON values; the order of an object's keys does not count. */
export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return sameItems<Json>(a, b, sameJson);
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]));
}

function sameNetwork(a: NetworkConfig, b: NetworkConfig): boolean {
  return a === b ||
    sameCidr(a.network, b.network) && sameCidr(a.subnetMin, b.subnetMin) &&
      sameCidr(a.subnetMax, b.subnetMax) &&
      a.backendType === b.backendType && sameJson(a.backendOptions, b.backendOptions);
}

function sameRefusal(a: Refusal, b: Refusal): boolean {
  return a.subnet === b.subnet && a.code === b.code && a.reason === b.reason;
}

function sameItems<T>(a: readonly T[], b: readonly T[], same: (x: T, y: T) => boolean): boolean {
  return a.length === b.length && a.every((item, i) => same(item, b[i]!));
}
