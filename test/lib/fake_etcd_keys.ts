/** The keys of a fake etcd: every revision since the last compaction, as etcd's multi-version store keeps them. */
import { EtcdError, grpc } from "../../lease/etcd/gateway.ts";
import type { JsonObject } from "../../lease/go_json.ts";

/** A key with its value. Keys are binary strings (one character a byte), so that they compare as bytes do. */
export interface KeyValue {
  readonly key: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly lease: string;
  /** The message that etcd makes of it. */
  readonly wire: JsonObject;
}

export interface Change {
  readonly key: string;
  readonly before: KeyValue | undefined;
  readonly after: KeyValue | undefined;
}

export interface Commit {
  readonly revision: number;
  readonly changes: readonly Change[];
}

/** `end` is undefined for one key, and "\0" for all from `start` on. */
export interface KeyRange {
  readonly start: string;
  readonly end: string | undefined;
}

export function inRange(key: string, { start, end }: KeyRange): boolean {
  if (end === undefined) return key === start;
  return key >= start && (end === "\0" || key < end);
}

/** What a backup holds. */
export interface KeysBackup {
  readonly revision: number;
  readonly compacted: number;
  readonly keys: ReadonlyMap<string, KeyValue>;
  readonly commits: readonly Commit[];
}

export class FakeKeys {
  revision = 1;
  /** Revisions below it are gone. */
  compacted = 0;
  #keys = new Map<string, KeyValue>();
  #commits: Commit[] = [];
  #sorted: string[] | undefined;
  #changes: Change[] = [];

  get(key: string): KeyValue | undefined {
    return this.#keys.get(key);
  }

  /** Puts a key at the next revision; {@link commit} ends the revision. */
  put(key: string, { value, lease }: { value: string; lease: string }): KeyValue {
    const before = this.#keys.get(key);
    const mod = this.revision + 1;
    const create = before?.create ?? mod;
    const version = (before?.version ?? 0) + 1;
    const wire: JsonObject = {
      key: btoa(key),
      create_revision: String(create),
      mod_revision: String(mod),
      version: String(version),
      ...(value === "" ? {} : { value }),
      ...(lease === "0" ? {} : { lease }),
    };
    const after = { key, create, mod, version, lease, wire };
    this.#keys.set(key, after);
    if (before === undefined) this.#sorted = undefined;
    this.#changes.push({ key, before, after });
    return after;
  }

  /** Deletes the keys of a range at the next revision; returns them. */
  delete(range: KeyRange): KeyValue[] {
    const gone = range.end === undefined
      ? [this.#keys.get(range.start)].filter((kv) => kv !== undefined)
      : [...this.#keys.values()].filter(({ key }) => inRange(key, range));
    for (const before of gone) {
      this.#keys.delete(before.key);
      this.#changes.push({ key: before.key, before, after: undefined });
    }
    if (gone.length > 0) this.#sorted = undefined;
    return gone;
  }

  /** Makes a revision of what was put and deleted since the last; undefined where that was nothing. */
  commit(): Commit | undefined {
    if (this.#changes.length === 0) return undefined;
    const commit = { revision: ++this.revision, changes: this.#changes };
    this.#commits.push(commit);
    this.#changes = [];
    return commit;
  }

  /** The keys of a range in order, as they were at a revision (0: as they are). Throws as etcd does. */
  range(range: KeyRange, revision: number): KeyValue[] {
    if (revision > this.revision) {
      throw new EtcdError("etcdserver: mvcc: required revision is a future revision", grpc.outOfRange);
    }
    if (revision !== 0 && revision < this.compacted) throw compactedError();
    const then = revision === 0 || revision === this.revision;
    const keys = then ? this.#keys : this.#at(revision);
    if (range.end === undefined) return [keys.get(range.start)].filter((kv) => kv !== undefined);
    const sorted = then ? this.#sorted ??= [...keys.keys()].sort() : [...keys.keys()].sort();
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle]! < range.start) low = middle + 1;
      else high = middle;
    }
    const found: KeyValue[] = [];
    for (let i = low; i < sorted.length && inRange(sorted[i]!, range); i++) found.push(keys.get(sorted[i]!)!);
    return found;
  }

  /** The revisions from `first` on. */
  since(first: number): Commit[] {
    let from = this.#commits.length;
    while (from > 0 && this.#commits[from - 1]!.revision >= first) from--;
    return this.#commits.slice(from);
  }

  /** Forgets what was before `revision`. */
  compact(revision: number): void {
    if (revision <= this.compacted) throw compactedError();
    this.compacted = revision;
    this.#commits = this.since(revision);
  }

  backup(): KeysBackup {
    const { revision, compacted } = this;
    return { revision, compacted, keys: new Map(this.#keys), commits: [...this.#commits] };
  }

  restore({ revision, compacted, keys, commits }: KeysBackup): void {
    Object.assign(this, { revision, compacted });
    this.#keys = new Map(keys);
    this.#commits = [...commits];
    this.#sorted = undefined;
  }

  #at(revision: number): Map<string, KeyValue> {
    const keys = new Map(this.#keys);
    for (const { changes } of this.since(revision + 1).reverse()) {
      for (const { key, before } of changes.toReversed()) {
        if (before === undefined) keys.delete(key);
        else keys.set(key, before);
      }
    }
    return keys;
  }
}

function compactedError(): EtcdError {
  return new EtcdError("etcdserver: mvcc: required revision has been compacted", grpc.outOfRange);
}
