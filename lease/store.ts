/**
 * Where the leases of a network live. Implementations: `file.ts` (one JSON document), `memory.ts` (tests and
 * the simulator), later etcd and HTTP. All pass `test/conformance/store_suite.ts`.
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

  /** The whole network at one revision. Throws `store` when it cannot be read or is damaged. */
  read(): Promise<Snapshot>;

  /**
   * Snapshots newer than revision `from`, each whole, from the first that differs from it until `signal`
   * aborts; then it ends without an error. Snapshots may be skipped, never reordered. A lease that expires
   * makes a snapshot too, of the same or a newer revision; the first snapshot may be one that the caller knows. Throws `store` when the store is lost; the caller reads again and watches anew.
   */
  watch(from: number, signal: AbortSignal, options?: WatchOptions): AsyncIterable<Snapshot>;

  /** Writes a new lease. Throws `conflict` where `lease.key` exists. Returns its record. */
  create(lease: NewRecord): Promise<LeaseRecord>;

  /** Replaces the lease that stands at `expected`. Throws `conflict` where it is gone or was changed. */
  update(lease: NewRecord, expected: number): Promise<LeaseRecord>;

  /** Removes the lease that stands at `expected`, and remembers it as released. Throws `conflict`. */
  remove(key: string, expected: number): Promise<void>;

  /** Writes the network config; `expected` 0 means that there is none yet. Throws `conflict`. */
  writeConfig(value: Json, expected: number): Promise<StoredConfig>;

  /** Gives descriptors back. Nothing in the store changes. */
  close(): void;
}

export interface WatchOptions {
  /**
   * Called with an error when the contents cannot be used for now and the watch goes on waiting for good ones,
   * and with undefined when they can be used again. Without it such a store is logged.
   */
  readonly troubled?: (error: FlanError | undefined) => void;
}

export interface Snapshot {
  /** Grows with every write, not necessarily with an expiry; 0 for a store that holds nothing yet. */
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

/** What a writer gives. */
export interface NewRecord {
  /** flannel's key: `10.5.1.0-24`. */
  readonly key: string;
  /** flannel's lease value: PublicIP, BackendType, BackendData, … */
  readonly value: Json;
  /** flan's identity of the holder. */
  readonly node: string | undefined;
  /** Seconds the lease lives from now on, or undefined for a reservation. */
  readonly ttl: number | undefined;
}

/** What stands in the store. */
export interface LeaseRecord {
  readonly key: string;
  readonly value: Json;
  readonly node: string | undefined;
  /** Milliseconds since 1970, or undefined for a reservation. */
  readonly expires: number | undefined;
  readonly revision: number;
}

export interface PastLease {
  readonly key: string;
  readonly how: "released" | "expired";
  /** Milliseconds since 1970. */
  readonly ended: number;
  /** flan's identity of the last holder, where the store still knows it. */
  readonly node?: string;
}
