/**
 * Where the leases of a network live. Implementations: `file/` and `http/` (one JSON document), `etcd/` (flannel's
 * keys), `document/memory_store.ts` (tests and the simulator). All pass `test/conformance/store_suite.ts`.
 *
 * A store keeps records as they are and does not judge them: `lease/decode.ts` does, one by one, so that
 * a bad record neither hides nor removes another. Every write is a compare-and-swap. A TTL is a hint, a
 * revision is the truth.
 */
import type { FlanError } from "../net/errors.ts";
import type { Json } from "../net/json.ts";

export interface Store {
  /** The store as the user would write it: `file:/var/lib/flan/network.json`. */
  readonly url: string;

  /** Whether it is this host's clock that says which leases have ended, and not the store's or its server's. */
  readonly usesLocalClock: boolean;

  /**
   * The whole network at one revision. Throws one of the `store…` codes when it cannot be read or used.
   */
  read(options?: ReadOptions): Promise<Snapshot>;

  /**
   * Snapshots newer than revision `from`, each whole, from the first that differs from it until `signal`
   * aborts; then it ends without an error. Snapshots may be skipped, never reordered. A lease that expires
   * makes a snapshot too, of the same or a newer revision; the first snapshot may be one that the caller knows.
   *
   * While the store cannot be reached or used, a watch tells `troubled` and goes on trying, with back-off, or it
   * throws one of the `store…` codes; then the caller reads again and watches anew. A store that was restored
   * from a backup may yield a smaller revision than before.
   */
  watch(from: number, signal: AbortSignal, options?: WatchOptions): AsyncIterable<Snapshot>;

  /** Writes a new lease. Throws `conflict` where `lease.key` exists. Returns its record. */
  create(lease: NewRecord): Promise<LeaseRecord>;

  /**
   * Writes new leases in as few writes as the store can do, and leaves those whose key exists. Calls `settled` for each
   * as soon as it is known what became of it: with its record, or with undefined where its key exists. Where it throws,
   * as `create` does, it is not known of those that were not settled whether they stand there.
   */
  createAll(leases: readonly NewRecord[], settled: Settled): Promise<void>;

  /** Replaces the lease that stands at `expected`. Throws `conflict` where it is gone or was changed. */
  update(lease: NewRecord, expected: number): Promise<LeaseRecord>;

  /**
   * Lets the lease that stands at `expected` live for `ttl` seconds from now on; its value stays. The revision of
   * the record that is returned may be the same: prolonging need not be a write. A reservation stays as it is.
   * Throws `conflict` where the lease is gone or was changed.
   */
  renew(key: string, options: { readonly expected: number; readonly ttl: number }): Promise<LeaseRecord>;

  /** Removes the lease that stands at `expected`, and remembers it as released. Throws `conflict`. */
  remove(key: string, expected: number): Promise<void>;

  /** Writes the network config; `expected` 0 means that there is none yet. Throws `conflict`. */
  writeConfig(value: Json, expected: number): Promise<StoredConfig>;

  /** Forgets past leases that ended before `before` (milliseconds since 1970); returns how many. */
  forget(before: number): Promise<number>;

  /** What is wrong with the store itself, apart from its leases. Changes nothing. Throws as `read` does. */
  inspect(): Promise<readonly StoreFinding[]>;

  /** Gives descriptors back. Nothing in the store changes. */
  close(): void;
}

export interface ReadOptions {
  /** Whether the time at which each lease ends is wanted where it costs further requests. */
  readonly expiries?: boolean;
}

export interface WatchOptions {
  /**
   * Called with an error (a `store…` code) when the store cannot be reached or used for now and the watch goes on
   * trying, perhaps again with each other cause, and with undefined when it can be used again. Without it such a
   * store is logged.
   */
  readonly troubled?: (error: FlanError | undefined) => void;
}

/** Something about a store that somebody should know or mend. */
export interface StoreFinding {
  /** A stable word: `backup-missing`, `no-compare-and-swap`, `foreign-key`, `unreadable-lease`, `alarm`, … */
  readonly code: string;
  /** `high` where hosts are or may be cut off by it. */
  readonly severity: "warning" | "high";
  /** One sentence, in the grammar of errors. */
  readonly message: string;
  readonly hint?: string;
}

export interface Snapshot {
  /** Grows with every write, not necessarily with an expiry. A store that others share, too, grows by their writes. */
  readonly revision: number;
  /** The network config, or undefined where no network was started. */
  readonly config: StoredConfig | undefined;
  /** Live records (not expired at the time of reading), sorted by key. */
  readonly records: readonly LeaseRecord[];
  /** Subnets that were leased once and are not now; each key once, with its latest end. */
  readonly past: readonly PastLease[];
}

export interface StoredConfig {
  /** flannel's network config JSON as it was written. */
  readonly value: Json;
  readonly revision: number;
}

/** What flan itself says of a lease, beside flannel's value of it. */
export interface OwnWord {
  /** flan's identity of the holder. */
  readonly node: string | undefined;
  /** The address that a reservation was made for: whoever claims it does not change whom it is for. */
  readonly reservedIp?: string | undefined;
  /** By what else the host can be reached; see {@link import("./other_planes.ts").encodeOtherPlanes}. */
  readonly otherPlanes?: Json | undefined;
}

/** What a writer gives. */
export interface NewRecord extends OwnWord {
  /** flannel's key: `10.5.1.0-24`. */
  readonly key: string;
  /** flannel's lease value: PublicIP, BackendType, BackendData, … */
  readonly value: Json;
  /** Seconds the lease lives from now on, or undefined for a reservation. */
  readonly ttl: number | undefined;
}

/** Is told what became of one of several new leases; undefined is one whose key exists. */
export type Settled = (lease: NewRecord, record: LeaseRecord | undefined) => void;

/** What stands in the store. */
export interface LeaseRecord extends OwnWord {
  readonly key: string;
  readonly value: Json;
  /**
   * Milliseconds since 1970, or undefined for a reservation. Infinity where the store itself ends the lease and
   * was not asked when (see {@link ReadOptions}).
   */
  readonly expires: number | undefined;
  readonly revision: number;
}

export interface PastLease {
  readonly key: string;
  readonly how: "released" | "expired";
  /** Set where {@link Store.forget} leaves it: it has expired by the caller's clock, which may be wrong. */
  readonly stays?: true;
  /** Milliseconds since 1970, as far as the store knows: an expiry may have been later. */
  readonly ended: number;
  /** flan's identity of the last holder, where the store still knows it. */
  readonly node?: string;
}
