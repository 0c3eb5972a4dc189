/**
 * The store over etcd, shared with flannel hosts: flannel's keys by flannel's rules, and flan's own words beside
 * them (`keys.ts`). etcd ends the leases by its own clock.
 */
import type { Clock } from "../../net/clock.ts";
import type { FlanError } from "../../net/errors.ts";
import type { Json } from "../../net/json.ts";
import type { Logger } from "../../net/log.ts";
import type {
  LeaseRecord,
  NewRecord,
  ReadOptions,
  Settled,
  Snapshot,
  Store,
  StoredConfig,
  StoreFinding,
  WatchOptions,
} from "../store.ts";
import { isConflict } from "../conflict.ts";
import { atOnce } from "./at_once.ts";
import { Contents } from "./contents.ts";
import { withExpiries } from "./expiries.ts";
import { forgetPast } from "./forget.ts";
import type { Gateway } from "./gateway.ts";
import { inspectEtcd } from "./inspect.ts";
import { Keys } from "./keys.ts";
import { LeaseWrites } from "./lease_writes.ts";
import { listAll } from "./listing.ts";
import { Pauses } from "./pauses.ts";
import { explained } from "./refusal.ts";
import { watchEtcd } from "./watch.ts";

export interface EtcdStoreOptions {
  /** As the user wrote it. */
  readonly url: string;
  /** flannel's `--etcd-prefix`: `/coreos.com/network`. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export class EtcdStore implements Store {
  readonly url: string;
  readonly usesLocalClock = false;
  readonly #gateway: Gateway;
  readonly #keys: Keys;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #writes: LeaseWrites;
  readonly #pauses: Pauses;
  /** What was read last: whatever is still the same stays the same object. */
  #contents: Contents | undefined;

  constructor(gateway: Gateway, { url, prefix, clock, log }: EtcdStoreOptions) {
    this.url = url;
    this.#gateway = gateway;
    this.#keys = new Keys(prefix);
    this.#clock = clock;
    this.#log = log;
    this.#writes = new LeaseWrites(gateway, { keys: this.#keys, clock });
    this.#pauses = new Pauses(clock);
  }

  async read({ expiries = false }: ReadOptions = {}): Promise<Snapshot> {
    return await this.#try("store.read", async () => {
      const contents = this.#contents = await this.#list(this.#contents);
      if (!expiries) return contents.snapshot();
      return await withExpiries(contents, { gateway: this.#gateway, clock: this.#clock });
    });
  }

  watch(from: number, signal: AbortSignal, { troubled }: WatchOptions = {}): AsyncIterable<Snapshot> {
    const known = this.#contents;
    return watchEtcd({
      gateway: this.#gateway,
      keys: this.#keys,
      clock: this.#clock,
      contents: known !== undefined && known.revision >= from ? known.copy() : undefined,
      list: (previous, ended) =>
        this.#try("store.watch", () => this.#list(previous ?? this.#contents, ended)),
      pause: (ms, signal) => this.#pauses.pause(ms, signal),
      troubled: troubled ?? this.#teller(),
    }, { from, signal });
  }

  create(lease: NewRecord): Promise<LeaseRecord> {
    return this.#try("store.create", () => this.#writes.create(lease));
  }

  /** One by one, some at once: in one transaction a single key that exists would stop all. */
  createAll(leases: readonly NewRecord[], settled: Settled): Promise<void> {
    return this.#try("store.create", () =>
      atOnce(leases, async (lease) => {
        const record = await this.#writes.create(lease).catch((error) => {
          if (isConflict(error)) return undefined;
          throw error;
        });
        settled(lease, record);
      }));
  }

  update(lease: NewRecord, expected: number): Promise<LeaseRecord> {
    return this.#try("store.update", () => this.#writes.update(lease, expected));
  }

  renew(key: string, options: { expected: number; ttl: number }): Promise<LeaseRecord> {
    return this.#try("store.renew", () => this.#writes.renew(key, options));
  }

  remove(key: string, expected: number): Promise<void> {
    return this.#try("store.remove", () => this.#writes.remove(key, expected));
  }

  writeConfig(value: Json, expected: number): Promise<StoredConfig> {
    return this.#try("store.write", () => this.#writes.configure(value, expected));
  }

  forget(before: number): Promise<number> {
    return this.#try("store.forget", async () => {
      const words = (await this.#list(undefined)).pastWords();
      return await forgetPast(this.#gateway, { keys: this.#keys, words, before });
    });
  }

  inspect(): Promise<readonly StoreFinding[]> {
    return this.#try("store.inspect", async () => {
      const { kvs } = await listAll(this.#gateway, { keys: this.#keys });
      return await inspectEtcd(this.#gateway, { keys: this.#keys, kvs });
    });
  }

  close(): void {
    this.#gateway.close();
  }

  async #list(previous: Contents | undefined, signal?: AbortSignal): Promise<Contents> {
    const keys = this.#keys;
    return Contents.of(await listAll(this.#gateway, { keys, signal }), { keys, previous });
  }

  async #try<T>(op: string, work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      this.#pauses.end();
      return result;
    } catch (error) {
      throw explained(error, op);
    }
  }

  /** Logs that a watch is in trouble, and that it is well again. */
  #teller(): (error: FlanError | undefined) => void {
    let isTold = false;
    return (error) => {
      if (error === undefined) this.#log.log("info", `${this.url} can be used again`);
      else if (!isTold) this.#log.log("warning", error.message, { code: error.code });
      isTold = error !== undefined;
    };
  }
}
