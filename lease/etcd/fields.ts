/** The fields of etcd's answers, checked one by one: whatever answers, nothing but what is expected comes in. */
import { FlanError } from "../../net/errors.ts";
import type { Json } from "../../net/json.ts";
import { quoted } from "../../net/text.ts";
import { isObject, type JsonObject } from "../go_json.ts";
import { parseBounded } from "../bounded_json.ts";

/** A key and its value as etcd keeps them. */
export interface KeyValue {
  /** The key's bytes, one character each: compares as etcd sorts. */
  readonly bytes: string;
  /** Undefined where the bytes are no UTF-8; nobody who means a lease writes such a key. */
  readonly key: string | undefined;
  /** Base64. */
  readonly rawValue: string;
  readonly modRevision: number;
  /** The id of the etcd lease it is attached to; "0" for none. */
  readonly lease: string;
}

/** What every answer tells of the server. */
export interface Header {
  readonly revision: number;
  readonly clusterId: string;
  /** Grows with every election; smaller than before only after a restore from a backup. */
  readonly term: number;
}

/** How much is kept of a value that is no JSON, in characters. */
const MAX_TEXT = 1000;
/** The largest lease, with backend data of 4 KiB, has fewer. */
const MAX_JSON = { parts: 10_000, depth: 16 };

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder();

export function badReply(what: string, value: unknown): FlanError {
  return new FlanError(`Cannot use the answer of etcd: ${what} is ${quoted(value)}`, {
    op: "store.reply",
    code: "store-reply",
  });
}

/** A count, a revision or a time: a decimal string, 0 where it was left out. Throws `store-reply` beyond 2^53. */
export function integer(value: Json | undefined, name: string): number {
  if (value === undefined) return 0;
  if (typeof value !== "string" || !/^-?\d{1,16}$/.test(value)) throw badReply(name, value);
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw badReply(name, value);
  return number;
}

/** A 64-bit number that only names something; "0" where it was left out. */
export function identity(value: Json | undefined, name: string): string {
  if (value === undefined) return "0";
  if (typeof value !== "string" || !/^-?\d{1,20}$/.test(value)) throw badReply(name, value);
  return value;
}

export function objects(value: Json | undefined, name: string): readonly JsonObject[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || !value.every(isObject)) throw badReply(name, value);
  return value;
}

export function object(value: Json | undefined, name: string): JsonObject {
  if (!isObject(value)) throw badReply(name, value);
  return value;
}

export function headerOf(answer: JsonObject): Header {
  const { revision, cluster_id, raft_term } = object(answer.header, "the header");
  return {
    revision: positive(revision, "the revision"),
    clusterId: identity(cluster_id, "the cluster's id"),
    term: integer(raft_term, "the term"),
  };
}

export function keyValueOf({ key, value, mod_revision, lease }: JsonObject): KeyValue {
  const bytes = bytesOf(key, "a key");
  const rawValue = value ?? "";
  if (typeof rawValue !== "string") throw badReply("a value", rawValue);
  return {
    bytes,
    key: isAscii(bytes) ? bytes : utf8(bytes),
    rawValue,
    modRevision: positive(mod_revision, "the revision of a key"),
    lease: identity(lease, "the lease of a key"),
  };
}

/**
 * The value as JSON, and how many parts that has. Text that is none, or has very many, becomes a string, for
 * `decode.ts` to refuse.
 */
export function jsonOf(rawValue: string): { value: Json; parts: number } {
  const text = textOf(rawValue);
  return parseBounded(text, MAX_JSON) ?? { value: text.slice(0, MAX_TEXT), parts: 1 };
}

/** The value as text, with a mark for each byte that is no UTF-8. */
export function textOf(rawValue: string): string {
  const bytes = bytesOf(rawValue, "a value");
  return isAscii(bytes) ? bytes : lenient.decode(binary(bytes));
}

/** The bytes of base64 text, one character each. */
function bytesOf(raw: Json | undefined, name: string): string {
  if (typeof raw !== "string") throw badReply(name, raw);
  try {
    return atob(raw);
  } catch {
    throw badReply(name, raw);
  }
}

function positive(value: Json | undefined, name: string): number {
  const number = integer(value, name);
  if (number < 1) throw badReply(name, value);
  return number;
}

function isAscii(bytes: string): boolean {
  // deno-lint-ignore no-control-regex
  return /^[\x00-\x7f]*$/.test(bytes);
}

function utf8(bytes: string): string | undefined {
  try {
    return strict.decode(binary(bytes));
  } catch {
    return undefined;
  }
}

function binary(bytes: string): Uint8Array {
  return Uint8Array.from(bytes, (char) => char.charCodeAt(0));
}
