/**
 * An etcd in memory, on a clock of the test: the messages of etcd 3.4's JSON gateway, as far as flan uses them.
 * `fake_etcd_test.ts` runs the same script on it and on a real etcd.
 */
import { EtcdError, grpc, type Method } from "../../lease/etcd/gateway.ts";
import { isObject, type JsonObject } from "../../lease/go_json.ts";
import type { Clock } from "../../net/clock.ts";
import type { Json } from "../../net/json.ts";
import { type Commit, FakeKeys, inRange, type KeyRange, type KeysBackup } from "./fake_etcd_keys.ts";
import { FakeGateway } from "./fake_gateway.ts";

/** etcd looks for leases that are over every half second. */
const STEP = 500;
/** The shortest lease, in seconds, with the timing of `etcd_server.ts`. */
const MIN_TTL = 1;

interface Lease {
  readonly ttl: number;
  readonly keys: Set<string>;
  /** By the monotonic clock. */
  deadline: number;
}

/** One watch as the server sees it. */
export interface Watcher {
  readonly range: KeyRange;
  deliver(message: JsonObject): void;
  /** The connection ends: in good order, or with an error. */
  end(how: "ended" | "broken"): void;
}

export interface Backup {
  readonly keys: KeysBackup;
  readonly leases: ReadonlyMap<string, Lease>;
}

export class FakeEtcd {
  /** Whether its quota is used up. */
  full = false;
  clusterId = "14841639068965178418";
  readonly keys = new FakeKeys();
  readonly #clock: Clock;
  readonly #leases = new Map<string, Lease>();
  readonly #watchers = new Set<Watcher>();
  #term = 2;
  #timer: { readonly at: number; readonly over: AbortController } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Another client's way to it, with faults of its own. */
  gateway(): FakeGateway {
    return new FakeGateway(this, this.#clock);
  }

  /** The leases that are alive: id → granted TTL (seconds) and attached keys. */
  get leases(): ReadonlyMap<string, { readonly ttl: number; readonly keys: ReadonlySet<string> }> {
    this.#expire();
    return this.#leases;
  }

  /** Forgets every revision before `revision`, by default the present one. */
  compact(revision: number = this.keys.revision): void {
    this.keys.compact(revision);
  }

  snapshot(): Backup {
    this.#expire();
    return { keys: this.keys.backup(), leases: copyOf(this.#leases) };
  }

  /** Starts again from a backup: revisions go back, and a new cluster may have a new id. */
  restore(backup: Backup, { clusterId = this.clusterId }: { clusterId?: string } = {}): void {
    this.keys.restore(backup.keys);
    this.#leases.clear();
    for (const [id, lease] of copyOf(backup.leases)) this.#leases.set(id, { ...lease, deadline: Infinity });
    this.clusterId = clusterId;
    this.#term = 1;
    this.restart();
  }

  /** Breaks every connection; leases get their whole time again, as from a new leader. */
  restart(): void {
    this.#expire();
    this.#term++;
    for (const watcher of [...this.#watchers]) watcher.end("broken");
    for (const lease of this.#leases.values()) lease.deadline = this.#clock.monotonic() + lease.ttl * 1000;
    this.#arm();
  }

  /** Answers one call. Throws {@link EtcdError}. */
  call(method: Method, request: JsonObject): JsonObject {
    this.#expire();
    switch (method) {
      case "kv/range":
        return this.#range(request);
      case "kv/txn":
        return this.#txn(request);
      case "lease/grant":
        return this.#grant(request);
      case "lease/keepalive":
        return this.#keepalive(text(request.ID));
      case "lease/revoke":
        return this.#revoke(text(request.ID));
      case "lease/timetolive":
        return this.#timeToLive(text(request.ID), request.keys === true);
      case "maintenance/alarm":
        return this.full ? { alarms: [{ memberID: "1", alarm: "NOSPACE" }] } : {};
      case "maintenance/status":
        return { header: this.#header(), version: "3.4.23", dbSize: "20480", dbSizeInUse: "16384" };
    }
  }

  /** Begins a watch; returns what ends it. */
  watch(create: JsonObject, connect: (range: KeyRange) => Watcher): () => void {
    this.#expire();
    const range = rangeOf(create);
    const watcher = connect(range);
    const first = number(create.start_revision);
    watcher.deliver({ header: this.#header(), created: true });
    if (first !== 0 && first < this.keys.compacted) {
      const compact = String(this.keys.compacted);
      const { revision: _, ...header } = this.#header();
      watcher.deliver({ header, canceled: true, compact_revision: compact });
      return () => {};
    }
    if (first !== 0) {
      const events = this.keys.since(first).flatMap((commit) => eventsOf(commit, range));
      if (events.length > 0) watcher.deliver({ header: this.#header(), events });
    }
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #range(request: JsonObject): JsonObject {
    const all = this.keys.range(rangeOf(request), number(request.revision));
    const limit = number(request.limit) || Infinity;
    const kvs = all.slice(0, limit).map(({ wire }) => wire);
    return {
      header: this.#header(),
      ...(kvs.length > 0 ? { kvs } : {}),
      ...(kvs.length < all.length ? { more: true } : {}),
      ...(all.length > 0 ? { count: String(all.length) } : {}),
    };
  }

  #txn(request: JsonObject): JsonObject {
    const succeeded = list(request.compare).every((compare) => this.#holds(compare));
    const operations = list(succeeded ? request.success : request.failure);
    const puts = [...list(request.success), ...list(request.failure)].some(({ request_put }) => request_put);
    if (puts && this.full) {
      throw new EtcdError("etcdserver: mvcc: database space exceeded", grpc.resourceExhausted);
    }
    for (const { request_put: put } of operations) {
      const lease = isObject(put) ? text(put.lease) : "0";
      if (lease !== "0" && !this.#leases.has(lease)) throw leaseNotFound();
    }
    const responses = operations.map((operation) => this.#operate(operation));
    this.#publish(this.keys.commit());
    return {
      header: this.#header(),
      ...(succeeded ? { succeeded } : {}),
      ...(responses.length > 0 ? { responses } : {}),
    };
  }

  #operate(operation: JsonObject): JsonObject {
    if (isObject(operation.request_put)) {
      const { key, value = "", lease } = operation.request_put;
      this.#put(atob(text(key)), { value: value as string, lease: text(lease) });
      return { response_put: { header: { revision: String(this.keys.revision + 1) } } };
    }
    if (isObject(operation.request_delete_range)) {
      const gone = this.#delete(rangeOf(operation.request_delete_range));
      const header = { revision: String(this.keys.revision + (gone > 0 ? 1 : 0)) };
      return { response_delete_range: { header, ...(gone > 0 ? { deleted: String(gone) } : {}) } };
    }
    const { header: _, ...answer } = this.#range(operation.request_range as JsonObject);
    return { response_range: { header: { revision: String(this.keys.revision) }, ...answer } };
  }

  #put(key: string, { value, lease }: { value: string; lease: string }): void {
    this.#leases.get(this.keys.get(key)?.lease ?? "0")?.keys.delete(key);
    this.keys.put(key, { value, lease });
    this.#leases.get(lease)?.keys.add(key);
  }

  #delete(range: KeyRange): number {
    const gone = this.keys.delete(range);
    for (const { key, lease } of gone) this.#leases.get(lease)?.keys.delete(key);
    return gone.length;
  }

  #holds(compare: JsonObject): boolean {
    const kv = this.keys.get(atob(text(compare.key)));
    const actual = compare.target === "MOD"
      ? kv?.mod
      : compare.target === "CREATE"
      ? kv?.create
      : kv?.version;
    const wanted = compare.mod_revision ?? compare.create_revision ?? compare.version;
    return (actual ?? 0) === number(wanted);
  }

  #grant(request: JsonObject): JsonObject {
    const id = text(request.ID) === "0" ? String(this.#clock.random(2 ** 31) + 1) : text(request.ID);
    if (this.full) throw new EtcdError("etcdserver: mvcc: database space exceeded", grpc.resourceExhausted);
    if (this.#leases.has(id)) {
      throw new EtcdError("etcdserver: lease already exists", grpc.failedPrecondition);
    }
    const ttl = Math.max(number(request.TTL), MIN_TTL);
    this.#leases.set(id, { ttl, keys: new Set(), deadline: this.#clock.monotonic() + ttl * 1000 });
    this.#arm();
    return { header: this.#header(), ID: id, TTL: String(ttl) };
  }

  #keepalive(id: string): JsonObject {
    const lease = this.#leases.get(id);
    if (lease === undefined) return { header: this.#header(), ID: id };
    lease.deadline = this.#clock.monotonic() + lease.ttl * 1000;
    return { header: this.#header(), ID: id, TTL: String(lease.ttl) };
  }

  #revoke(id: string): JsonObject {
    if (!this.#leases.has(id)) throw leaseNotFound();
    this.#end(id);
    return { header: this.#header() };
  }

  #timeToLive(id: string, withKeys: boolean): JsonObject {
    const lease = this.#leases.get(id);
    if (lease === undefined) return { header: this.#header(), ID: id, TTL: "-1" };
    const left = Math.max(0, Math.floor((lease.deadline - this.#clock.monotonic()) / 1000));
    const keys = withKeys ? [...lease.keys].sort().map(btoa) : [];
    return {
      header: this.#header(),
      ID: id,
      ...(left > 0 ? { TTL: String(left) } : {}),
      grantedTTL: String(lease.ttl),
      ...(keys.length > 0 ? { keys } : {}),
    };
  }

  /** Takes the lease away, and its keys with it in one revision. */
  #end(id: string): void {
    const keys = [...this.#leases.get(id)!.keys].sort();
    this.#leases.delete(id);
    for (const key of keys) this.keys.delete({ start: key, end: undefined });
    this.#publish(this.keys.commit());
  }

  #publish(commit: Commit | undefined): void {
    if (commit === undefined) return;
    for (const watcher of [...this.#watchers]) {
      const events = eventsOf(commit, watcher.range);
      if (events.length > 0) watcher.deliver({ header: this.#header(), events });
    }
  }

  #expire(): void {
    const now = Math.floor(this.#clock.monotonic() / STEP) * STEP;
    for (const [id, { deadline }] of [...this.#leases]) if (deadline <= now) this.#end(id);
  }

  /** Wakes up for the lease that is over first. */
  #arm(): void {
    let first = Infinity;
    for (const { deadline } of this.#leases.values()) first = Math.min(first, deadline);
    const at = Math.ceil(first / STEP) * STEP;
    if (this.#timer !== undefined && this.#timer.at <= at) return;
    this.#timer?.over.abort("another lease ends first");
    if (at === Infinity) return;
    const timer = { at, over: new AbortController() };
    this.#timer = timer;
    this.#clock.sleep(at - this.#clock.monotonic(), timer.over.signal).then(() => {
      if (this.#timer !== timer) return;
      this.#timer = undefined;
      this.#expire();
      this.#arm();
    });
  }

  #header(): JsonObject {
    return {
      cluster_id: this.clusterId,
      member_id: "10276657743932975437",
      revision: String(this.keys.revision),
      raft_term: String(this.#term),
    };
  }
}

function eventsOf({ revision, changes }: Commit, range: KeyRange): JsonObject[] {
  return changes.filter(({ key }) => inRange(key, range)).map(({ key, after }) =>
    after === undefined
      ? { type: "DELETE", kv: { key: btoa(key), mod_revision: String(revision) } }
      : { kv: after.wire }
  );
}

function rangeOf({ key, range_end }: JsonObject): KeyRange {
  return {
    start: atob(text(key)),
    end: range_end === undefined ? undefined : atob(text(range_end)),
  };
}

function copyOf(leases: ReadonlyMap<string, Lease>): Map<string, Lease> {
  return new Map([...leases].map(([id, lease]) => [id, { ...lease, keys: new Set(lease.keys) }]));
}

function list(value: Json | undefined): JsonObject[] {
  return (value ?? []) as unknown as JsonObject[];
}

function text(value: Json | undefined): string {
  return String(value ?? "0");
}

function number(value: Json | undefined): number {
  return Number(value ?? 0);
}

function leaseNotFound(): EtcdError {
  return new EtcdError("etcdserver: requested lease not found", grpc.notFound);
}
