/**
 * What a store in etcd holds, as one client knows it: a listing, kept up to date by the events of a watch. One
 * event costs little, however many leases there are, and what has not changed stays the same object.
 */
import type { Json } from "../../net/json.ts";
import type { JsonObject } from "../go_json.ts";
import type { LeaseRecord, OwnWord, PastLease, Snapshot, StoredConfig } from "../store.ts";
import type { PastWord } from "./forget.ts";
import type { Keys, Meaning } from "./keys.ts";
import type { Listing } from "./listing.ts";
import { badReply, type Header, jsonOf, type KeyValue, keyValueOf, object, objects } from "./fields.ts";
import { Load, MAX_KEYS, tooMuch } from "./load.ts";
import { SortedByKey } from "./sorted.ts";
import { ownIn, pastOf, type Word, wordOf } from "./words.ts";

interface Config {
  readonly kind: "config";
  readonly kv: KeyValue;
  readonly parts: number;
  readonly stored: StoredConfig;
}

interface Held {
  readonly kind: "lease";
  readonly kv: KeyValue;
  readonly parts: number;
  readonly value: Json;
  /** What was made of it last. */
  record?: LeaseRecord;
}

interface Said {
  readonly kind: "word";
  readonly kv: KeyValue;
  readonly parts: number;
  readonly word: Word;
  readonly past: PastLease | undefined;
}

type Entry = Config | Held | Said;

export class Contents {
  readonly #keys: Keys;
  #header: Header;
  #config: Config | undefined;
  readonly #leases = new Map<string, Held>();
  readonly #words = new Map<string, Said>();
  /** Revisions at which keys were deleted, so that an older event that comes late does not bring them back. */
  readonly #removed = new Map<string, number>();
  #load = new Load();
  #records = new SortedByKey<LeaseRecord>();
  #past = new SortedByKey<PastLease>();

  private constructor(keys: Keys, header: Header) {
    this.#keys = keys;
    this.#header = header;
  }

  /** What was listed; whatever is the same in `previous`, by value, is taken over from there. */
  static of(
    { header, kvs }: Listing,
    { keys, previous }: { keys: Keys; previous: Contents | undefined },
  ): Contents {
    const contents = new Contents(keys, header);
    for (const kv of kvs) contents.#take(kv, previous);
    const records = [...contents.#leases.keys()].map((key) => contents.#record(key)!);
    const past = [...contents.#words].filter(([key]) => !contents.#leases.has(key)).map(([, said]) =>
      said.past
    );
    contents.#records = new SortedByKey(records);
    contents.#past = new SortedByKey(past.filter((lease) => lease !== undefined));
    return contents;
  }

  /** The same, to be kept up to date apart from this. */
  copy(): Contents {
    const copy = new Contents(this.#keys, this.#header);
    copy.#config = this.#config;
    for (const [key, held] of this.#leases) copy.#leases.set(key, held);
    for (const [key, said] of this.#words) copy.#words.set(key, said);
    copy.#load = this.#load.copy();
    copy.#records = this.#records.copy();
    copy.#past = this.#past.copy();
    return copy;
  }

  get revision(): number {
    return this.#header.revision;
  }

  snapshot(): Snapshot {
    return {
      revision: this.revision,
      config: this.#config?.stored,
      records: this.#records.list(),
      past: this.#past.list(),
    };
  }

  /** The id of the etcd lease that a key is attached to, "0" for none. */
  etcdLease(key: string): string {
    return this.#leases.get(key)?.kv.lease ?? "0";
  }

  /** flan's word on the lease that stands at a key, if it is about that one. */
  wordOn(key: string): Word | undefined {
    const said = this.#words.get(key);
    return said?.kv.modRevision === this.#leases.get(key)?.kv.modRevision ? said?.word : undefined;
  }

  /** The past leases, each with the revision of the word that tells of it. */
  pastWords(): PastWord[] {
    return this.#past.list().map((past) => ({ past, revision: this.#words.get(past.key)!.kv.modRevision }));
  }

  /** Whether a server with this header is another than the one that was listed, or has lost what that had. */
  isOther({ clusterId, revision, term }: Header): boolean {
    const known = this.#header;
    return clusterId !== known.clusterId || revision < known.revision || term < known.term;
  }

  /** Begins a new stream of events: the old one's, however late, do not come any more. */
  begin({ term }: Header): void {
    this.#header = { ...this.#header, term };
    this.#removed.clear();
  }

  /**
   * Applies the events of one message; those that are known already change nothing. Throws `store-reply`, also for
   * more keys than are borne; what is known must then be listed again.
   */
  apply(message: JsonObject): void {
    const events = objects(message.events, "the events").map((event) => ({
      deleted: isDelete(event.type),
      kv: keyValueOf(object(event.kv, "the key of an event")),
    }));
    let revision = this.revision;
    const changed = new Set<string>();
    for (const { kv, deleted } of events) {
      if (!(kv.bytes >= this.#keys.root && kv.bytes < this.#keys.end)) throw badReply("a key", kv.bytes);
      revision = Math.max(revision, kv.modRevision);
      const meaning = kv.key === undefined ? undefined : this.#keys.meaning(kv.key);
      if (meaning === undefined || kv.modRevision <= this.#known(meaning)) continue;
      if (deleted) this.#drop(meaning, kv.modRevision);
      else this.#take(kv, this);
      if (meaning.kind !== "config") changed.add(meaning.key);
    }
    this.#header = { ...this.#header, revision };
    this.#refresh([...changed]);
  }

  #refresh(changed: readonly string[]): void {
    const records = new Map(changed.map((key) => [key, this.#record(key)]));
    this.#records.update(records);
    this.#past.update(
      new Map(changed.map((key) => [
        key,
        records.get(key) === undefined ? this.#words.get(key)?.past : undefined,
      ])),
    );
  }

  #take(kv: KeyValue, previous: Contents | undefined): void {
    const meaning = kv.key === undefined ? undefined : this.#keys.meaning(kv.key);
    if (meaning === undefined) return;
    const known = previous === undefined ? undefined : previous.#at(meaning);
    const entry = known !== undefined && isSame(known.kv, kv) ? known : entryOf(meaning, kv);
    this.#unload(this.#at(meaning));
    this.#load.add(kv, entry.parts);
    if (entry.kind === "config") this.#config = entry;
    else if (entry.kind === "lease") this.#leases.set(meaning.key, entry);
    else this.#words.set(meaning.key, entry);
  }

  #drop(meaning: Meaning, revision: number): void {
    this.#unload(this.#at(meaning));
    this.#removed.set(`${meaning.kind} ${meaning.key}`, revision);
    if (this.#removed.size > MAX_KEYS) throw tooMuch(`more than ${MAX_KEYS} keys that were deleted`);
    if (meaning.kind === "config") this.#config = undefined;
    else if (meaning.kind === "lease") this.#leases.delete(meaning.key);
    else this.#words.delete(meaning.key);
  }

  #unload(entry: Entry | undefined): void {
    if (entry !== undefined) this.#load.remove(entry.kv, entry.parts);
  }

  #at({ kind, key }: Meaning): Entry | undefined {
    if (kind === "config") return this.#config;
    return kind === "lease" ? this.#leases.get(key) : this.#words.get(key);
  }

  /** The revision of the latest event of a key that is known. */
  #known(meaning: Meaning): number {
    return this.#at(meaning)?.kv.modRevision ?? this.#removed.get(`${meaning.kind} ${meaning.key}`) ?? 0;
  }

  /** The record of a lease, the same object as before where nothing has changed. */
  #record(key: string): LeaseRecord | undefined {
    const held = this.#leases.get(key);
    if (held === undefined) return undefined;
    const { kv, value, record } = held;
    const own = ownIn(this.wordOn(key));
    if (record !== undefined && sameWord(record, own)) return record;
    const expires = kv.lease === "0" ? undefined : Infinity;
    return held.record = { ...own, key, value, expires, revision: kv.modRevision };
  }
}

function sameWord(a: OwnWord, b: OwnWord): boolean {
  return a.node === b.node && a.reservedIp === b.reservedIp &&
    JSON.stringify(a.otherPlanes) === JSON.stringify(b.otherPlanes);
}

/** Whether two snapshots of one line of contents say the same. */
export function sameContents(a: Snapshot, b: Snapshot): boolean {
  return a.config === b.config && sameItems(a.records, b.records) && sameItems(a.past, b.past);
}

function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a === b || a.length === b.length && a.every((item, i) => item === b[i]);
}

function entryOf({ kind, key }: Meaning, kv: KeyValue): Entry {
  const { value, parts } = jsonOf(kv.rawValue);
  if (kind === "config") return { kind, kv, parts, stored: { value, revision: kv.modRevision } };
  if (kind === "lease") return { kind, kv, parts, value };
  const word = wordOf(value);
  return { kind, kv, parts, word, past: pastOf(key, word) };
}

function isSame(a: KeyValue, b: KeyValue): boolean {
  return a.modRevision === b.modRevision && a.rawValue === b.rawValue && a.lease === b.lease;
}

function isDelete(type: Json | undefined): boolean {
  if (type !== undefined && type !== "PUT" && type !== "DELETE") throw badReply("the type of an event", type);
  return type === "DELETE";
}
