/**
 * The JSON document that a file store keeps: `flan.network/v1`. One lease per line, so that a person can read
 * it and a diff shows what changed. Within v1 fields are only added.
 */
import { messageOf } from "../../net/errors.ts";
import type { Json } from "../../net/json.ts";
import { quoted } from "../../net/text.ts";
import { isMoreThan } from "../bounded_json.ts";
import { isObject, type JsonObject } from "../go_json.ts";
import { isSeconds } from "../seconds.ts";
import type { LeaseRecord, PastLease, StoredConfig } from "../store.ts";

export const SCHEMA = "flan.network/v1";

/** The largest document that is read or written, in bytes. */
export const MAX_DOCUMENT = 64 * 1024 * 1024;

/** A /8 has 65,536 subnets of 24 bits; more leases, with those of the past, are no network of flannel's. */
export const MAX_LEASES = 200_000;

/** What the JSON of so many leases is made of at most: one has some 30 parts, and its value is nested 5 deep. */
const MOST = { parts: 40 * MAX_LEASES, depth: 64, members: MAX_LEASES };

/** Revisions end well below 2^53, so that adding to one is always exact. None above is read or written. */
export const MAX_REVISION = 2 ** 52;

/** The whole store: like a snapshot, but expired leases are still in it (`change.ts` says why). */
export interface Document {
  readonly revision: number;
  readonly config: StoredConfig | undefined;
  readonly leases: ReadonlyMap<string, LeaseRecord>;
  readonly past: ReadonlyMap<string, PastLease>;
}

export const EMPTY: Document = { revision: 0, config: undefined, leases: new Map(), past: new Map() };

const TOO_MUCH = `it has more than ${MAX_LEASES} leases, or values that are no leases`;

/** A document that cannot be used; the message is a clause that says why. */
export class Damage extends Error {
  override readonly name = "Damage";
}

/**
 * Reads a document. Throws {@link Damage} for text that is torn, foreign or of a later version. A single
 * lease that is odd does not count as damage: its value is kept for `decode.ts` to refuse, an unusable
 * expiry makes it a reservation (so that nobody else takes the subnet), and an unusable revision becomes the
 * document's.
 */
export function parseDocument(text: string): Document {
  if (text.trim() === "") throw new Damage("it is empty");
  // Before it is parsed: in memory it would be many times as large.
  if (isMoreThan(text, MOST)) throw new Damage(TOO_MUCH);
  let value: Json;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Damage(`it is not whole JSON (${quoted(messageOf(error), 120)})`);
  }
  if (!isObject(value)) throw new Damage("it is not a JSON object");
  if (value.schema !== SCHEMA) {
    const later = /^flan\.network\/v\d{1,6}$/.test(String(value.schema));
    throw new Damage(
      later
        ? `its schema is ${quoted(value.schema)}, which a later version of flan wrote`
        : `its schema is ${quoted(value.schema)}, not ${quoted(SCHEMA)}`,
    );
  }
  const revision = value.revision;
  if (!isRevision(revision)) throw new Damage(`its revision is ${quoted(revision)}`);
  const document = {
    revision,
    config: configOf(value.config, revision),
    leases: mapOf("leases", value.leases, (key, entry) => leaseOf(key, entry, revision)),
    past: mapOf("past", value.past, pastOf),
  };
  if (document.leases.size + document.past.size > MAX_LEASES) throw new Damage(TOO_MUCH);
  return document;
}

/** Why the document, whose text is `text`, must not be written: it could not be read again. */
export function whyUnreadable({ revision, leases, past }: Document, text: string): string | undefined {
  if (revision > MAX_REVISION) return `its revisions are used up at ${revision - 1}`;
  if (leases.size + past.size > MAX_LEASES || isMoreThan(text, MOST)) return TOO_MUCH;
  // No character has more than three bytes for each of its units.
  const isLarge = text.length > MAX_DOCUMENT / 3 && new TextEncoder().encode(text).length > MAX_DOCUMENT;
  return isLarge ? `it would be larger than ${MAX_DOCUMENT / 2 ** 20} MiB` : undefined;
}

/** The document's text. Values go out as they came in. */
export function formatDocument(document: Document): string {
  const { revision, config } = document;
  return [
    "{",
    `"schema":${JSON.stringify(SCHEMA)},`,
    `"revision":${revision},`,
    ...(config === undefined
      ? []
      : [`"config":{"revision":${config.revision},"value":${JSON.stringify(config.value)}},`]),
    ...section("leases", document.leases, ({ revision, expires, node, reservedIp, otherPlanes, value }) => ({
      revision,
      ...(expires === undefined ? {} : { expires: Math.ceil(expires / 1000) }),
      ...(node === undefined ? {} : { node }),
      ...(reservedIp === undefined ? {} : { reservedIp }),
      ...(otherPlanes === undefined ? {} : { otherPlanes }),
      value,
    })),
    ...section("past", document.past, ({ how, ended }) => ({ how, ended: Math.floor(ended / 1000) }), ""),
    "}",
    "",
  ].join("\n");
}

function section<T>(
  name: string,
  map: ReadonlyMap<string, T>,
  write: (item: T) => unknown,
  end = ",",
): string[] {
  if (map.size === 0) return [`"${name}":{}${end}`];
  const keys = [...map.keys()].sort();
  const lines = keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(write(map.get(key)!))}`);
  return [`"${name}":{`, lines.join(",\n"), `}${end}`];
}

function configOf(value: Json | undefined, revision: number): StoredConfig | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value) || value.value === undefined) throw new Damage("its config has no value");
  return { value: value.value, revision: isRevision(value.revision) ? value.revision : revision };
}

function mapOf<T>(
  name: string,
  value: Json | undefined,
  read: (key: string, entry: Json) => T | undefined,
): Map<string, T> {
  if (!isObject(value)) throw new Damage(`its ${name} are missing`);
  const map = new Map<string, T>();
  for (const key of Object.keys(value)) {
    const item = read(key, value[key]!);
    if (item !== undefined) map.set(key, item);
  }
  return map;
}

function leaseOf(key: string, entry: Json, revision: number): LeaseRecord {
  const fields: JsonObject = isObject(entry) && Object.hasOwn(entry, "value") ? entry : { value: entry };
  const { expires, node, reservedIp, otherPlanes } = fields;
  return {
    key,
    value: fields.value!,
    node: typeof node === "string" ? node : undefined,
    ...(typeof reservedIp === "string" ? { reservedIp } : {}),
    ...(otherPlanes === undefined ? {} : { otherPlanes }),
    expires: isSeconds(expires) ? expires * 1000 : undefined,
    revision: isRevision(fields.revision) && fields.revision <= revision ? fields.revision : revision,
  };
}

/** What was leased once is only a hint for the choice of new subnets; an odd entry is dropped. */
function pastOf(key: string, entry: Json): PastLease | undefined {
  if (!isObject(entry) || !isSeconds(entry.ended)) return undefined;
  return { key, how: entry.how === "released" ? "released" : "expired", ended: entry.ended * 1000 };
}

function isRevision(value: Json | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_REVISION;
}
