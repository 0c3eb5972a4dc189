/** What somebody else can do to an object of a plan, made up from the object itself so that no kind and no field is forgotten. */
import { type KernelObject, keyOf } from "../../kernel/state.ts";
import { familyOf, formatIp, parseIp } from "../../net/ip.ts";
import { publicKey } from "../lib/fake_wireguard.ts";

/** The object with one field changed. */
export interface ObjectChange {
  /** `mtu`, or `vxlan.port` of a part of it. */
  readonly field: string;
  readonly object: KernelObject;
}

/** Who made an object is written in these; one that says somebody else is not ours any more. */
export const marks: ReadonlySet<string> = new Set(["alias", "protocol", "requestId"]);

type Value = string | number | boolean | readonly string[] | { readonly [field: string]: Value };

/** One change for each field that is no part of the object's key and says anything. */
export function changesOf(object: KernelObject): ObjectChange[] {
  const key = keyOf(object);
  return Object.entries(object).flatMap(([field, value]): ObjectChange[] => {
    if (field === "kind" || repeats(object, field)) return [];
    return othersOf(field, value as Value).map(([path, other]) => ({
      field: path,
      object: { ...object, [field]: other } as KernelObject,
    }));
  }).filter((change) => keyOf(change.object) === key);
}

/** Whether the field only says again what the nexthop object of a route says. */
function repeats(object: KernelObject, field: string): boolean {
  return object.kind === "route" && object.nexthop !== 0 && ["gateway", "link", "onlink"].includes(field);
}

function othersOf(field: string, value: Value): [path: string, value: Value][] {
  if (typeof value === "number") return [[field, value + 1]];
  if (typeof value === "boolean") return [[field, !value]];
  if (typeof value === "string") return value === "" ? [] : [[field, otherText(field, value)]];
  if (isList(value)) return [[field, []]];
  return Object.entries(value).flatMap(([part, of]) =>
    othersOf(part, of).map(([path, other]): [string, Value] => [
      `${field}.${path}`,
      { ...value, [part]: other },
    ])
  );
}

function isList(value: Value): value is readonly string[] {
  return Array.isArray(value);
}

/** What the field could say as well. */
function otherText(field: string, text: string): string {
  switch (field) {
    case "type":
      return text === "unicast" || text === "unreachable" ? "blackhole" : "dummy";
    case "state":
      return "failed";
    case "publicKey":
      return publicKey(250);
    case "endpoint":
      return text.includes("[") ? "[2001:db8::fa]:51820" : "192.0.2.250:51820";
    case "mac":
      return text.replace(/..$/, (last) => (Number.parseInt(last, 16) ^ 0x40).toString(16).padStart(2, "0"));
  }
  return isIp(text) ? neighbourOf(text) : /^\d+$/.test(text) ? `${Number(text) + 6}` : `${text}x`;
}

function isIp(text: string): boolean {
  try {
    parseIp(text);
    return true;
  } catch {
    return false;
  }
}

/** An address near by that nobody has. */
function neighbourOf(address: string): string {
  const { family, value } = parseIp(address);
  return formatIp({ family, value: value ^ 0xc0n });
}

/**
 * Somebody else's object of the same kind, beside this one and with a key of its own; undefined where only flan can have
 * one.
 */
export function besides(object: KernelObject): KernelObject | undefined {
  switch (object.kind) {
    case "link":
      return {
        kind: "link",
        name: "theirs0",
        type: "dummy",
        alias: "somebody's",
        mac: "02:00:00:00:00:77",
        mtu: 1400,
        up: true,
      };
    case "address":
      return { ...object, address: is6(object.address) ? "2001:db8:77::7/128" : "198.51.100.7/32" };
    case "nexthop":
      return { ...object, id: 4_000_000 + (is6(object.gateway) ? 6 : 4), protocol: 4 };
    case "neighbour":
      return { ...object, ip: neighbourOf(object.ip), state: "permanent", protocol: 4 };
    case "fdb":
      return { ...object, mac: "02:00:00:00:00:77" };
    case "route":
      return {
        ...object,
        destination: is6(object.destination) ? "2001:db8:77::/64" : "198.51.100.0/24",
        nexthop: 0,
        protocol: 4,
      };
    case "wireguard-peer":
      return { ...object, publicKey: publicKey(251), allowedIps: [] };
    case "proxy-route":
      return { ...object, destination: is6(object.destination) ? "fd00:5:0:fa::/64" : "10.5.250.0/24" };
    case "hook":
      return { ...object, subnet: "10.5.250.0/24", network: "" };
    case "xfrm-policy":
      return { ...object, destination: "198.51.100.0/24", requestId: 7 };
    // A kernel of flan's makes none for others; test/ipsec/ipsec_kernel_test.ts has some.
    case "xfrm-state":
    case "sysctl":
    case "proxy":
    case "encap-socket":
    case "masquerade":
    case "forward-rules":
      return undefined;
  }
}

function is6(text: string): boolean {
  return familyOf(text) === 6;
}

/** The kinds without a mark of their own: whatever stands on our link, in our proxy or in our file counts as ours. */
export const unmarked: ReadonlySet<string> = new Set(["fdb", "wireguard-peer", "proxy-route", "hook"]);
