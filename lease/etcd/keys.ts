/** Where what stands in etcd: flannel's keys, and flan's own beside them. */
import type { JsonObject } from "../go_json.ts";

export interface Meaning {
  readonly kind: "config" | "lease" | "word";
  /** The key of the subnet; empty for the config. */
  readonly key: string;
}

/** `PREFIX/config` and `PREFIX/subnets/KEY` are flannel's; whatever else flan writes is below `PREFIX/flan/`. */
export class Keys {
  /** Without a slash at its end: `/coreos.com/network`. */
  readonly prefix: string;
  readonly config: string;
  /** The bytes, one character each, that every key begins with, and the first bytes after all of those. */
  readonly root: string;
  readonly end: string;

  /** Slashes at the end and doubled ones vanish, as flannel cleans its `--etcd-prefix`. */
  constructor(prefix: string) {
    this.prefix = prefix.replaceAll(/\/+/g, "/").replace(/\/$/, "");
    this.config = `${this.prefix}/config`;
    this.root = bytesOf(`${this.prefix}/`);
    this.end = bytesOf(`${this.prefix}0`);
  }

  /** flannel's lease. */
  lease(key: string): string {
    return `${this.prefix}/subnets/${key}`;
  }

  /** flan's own word on the same subnet. */
  word(key: string): string {
    return `${this.prefix}/flan/leases/${key}`;
  }

  /** What a whole key means, or undefined where it is none of ours. */
  meaning(key: string): Meaning | undefined {
    if (key === this.config) return { kind: "config", key: "" };
    const [lease, word] = [this.lease(""), this.word("")];
    if (key.startsWith(lease)) return { kind: "lease", key: key.slice(lease.length) };
    if (key.startsWith(word)) return { kind: "word", key: key.slice(word.length) };
    return undefined;
  }

  /**
   * Whether every flanneld stumbles over the key: it takes all that begin with `PREFIX/subnets` for leases, and
   * one that it cannot parse makes it drop all its peers (FLANNEL.md 3.1, 3.5).
   */
  confusesFlannel(key: string): boolean {
    if (!key.startsWith(`${this.prefix}/subnets`)) return false;
    const match = key.startsWith(this.lease("")) ? FLANNEL_KEY.exec(key.slice(this.lease("").length)) : null;
    if (match === null) return true;
    const [, octets, length, length6 = "0"] = match;
    return octets!.split(".").some((octet) => Number(octet) > 255) || Number(length) > 31 ||
      Number(length6) > 127;
  }
}

/** flannel's own pattern, from a subnet to an optional IPv6 subnet. */
const FLANNEL_KEY = /^(\d{1,3}(?:\.\d{1,3}){3})-(\d{1,2})(?:&[a-f\d:]+-(\d{1,3}))?$/;

function bytesOf(text: string): string {
  return atob(encoded(text));
}

/** Text as the gateway carries bytes. */
export function encoded(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

/** A comparison of one key's revision; 0 is that of a key that does not exist. */
export function standsAt(key: string, revision: number): JsonObject {
  return revision === 0
    ? { key: encoded(key), target: "VERSION", result: "EQUAL", version: "0" }
    : { key: encoded(key), target: "MOD", result: "EQUAL", mod_revision: String(revision) };
}

/** An operation that writes one key; `value` is base64. */
export function put(key: string, value: string, lease: string = "0"): JsonObject {
  return { request_put: { key: encoded(key), value, ...(lease === "0" ? {} : { lease }) } };
}

/** An operation that deletes one key. */
export function remove(key: string): JsonObject {
  return { request_delete_range: { key: encoded(key) } };
}

/** An operation that reads one key. */
export function get(key: string): JsonObject {
  return { request_range: { key: encoded(key) } };
}
