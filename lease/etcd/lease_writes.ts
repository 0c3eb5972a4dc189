/** How leases are written: every write is one transaction on the revision that the lease is expected at. */
import type { Clock } from "../../net/clock.ts";
import { FlanError } from "../../net/errors.ts";
import type { Json } from "../../net/json.ts";
import { quoted } from "../../net/text.ts";
import { isConflict } from "../conflict.ts";
import type { JsonObject } from "../go_json.ts";
import type { LeaseRecord, NewRecord, OwnWord, StoredConfig } from "../store.ts";
import { EtcdLeases } from "./etcd_leases.ts";
import { jsonOf, type KeyValue } from "./fields.ts";
import { EtcdError, type Gateway, grpc } from "./gateway.ts";
import { encoded, get, type Keys, put, remove, standsAt } from "./keys.ts";
import { Life } from "./life.ts";
import { type Outcome, transact } from "./transaction.ts";
import { heldWord, ownIn, releasedWord, type Word, wordOf } from "./words.ts";

/**
 * How often a renewal writes the same value again, in milliseconds: the only thing by which a flannel host mends
 * its routes.
 */
export const COURTESY = 60 * 60 * 1000;

/** A lease as it stands, with flan's word on it where that is about it. */
interface Standing {
  readonly kv: KeyValue;
  readonly word: Word | undefined;
}

interface Writing {
  readonly key: string;
  /** Base64. */
  readonly rawValue: string;
  readonly own: OwnWord;
  readonly life: Life;
  readonly expected: number;
  /** The etcd lease that the key is attached to now, and the one that it is to be attached to. */
  readonly old: string;
  readonly id: string;
}

export class LeaseWrites {
  readonly #gateway: Gateway;
  readonly #keys: Keys;
  readonly #clock: Clock;
  readonly #leases: EtcdLeases;
  /** When this client wrote a key last, by the monotonic clock. */
  readonly #written = new Map<string, number>();

  constructor(gateway: Gateway, { keys, clock }: { keys: Keys; clock: Clock }) {
    this.#gateway = gateway;
    this.#keys = keys;
    this.#clock = clock;
    this.#leases = new EtcdLeases(gateway, clock);
  }

  /** Writes a lease that is not there yet. Throws `conflict`. */
  async create({ key, value, ttl, ...own }: NewRecord): Promise<LeaseRecord> {
    const rawValue = encoded(JSON.stringify(value));
    const life = new Life(this.#clock, ttl);
    const id = await this.#etcdLease(ttl);
    const revision = await this.#write({ key, rawValue, own, life, expected: 0, old: "0", id });
    return { ...own, key, value, expires: life.expires, revision };
  }

  /** Replaces the lease at `expected`. Throws `conflict`. */
  async update({ key, value, ttl, ...own }: NewRecord, expected: number): Promise<LeaseRecord> {
    const { kv, word } = await this.#standing(key, { expected, verb: "update" });
    const rawValue = encoded(JSON.stringify(value));
    const life = new Life(this.#clock, ttl);
    const id = await this.#etcdLease(ttl, word !== undefined && word.ttl === ttl ? kv.lease : "0");
    const revision = await this.#write({ key, rawValue, own, life, expected, old: kv.lease, id });
    return { ...own, key, value, expires: life.expires, revision };
  }

  /** Prolongs the lease at `expected`; writes it only now and then. Throws `conflict`. */
  async renew(key: string, { expected, ttl }: { expected: number; ttl: number }): Promise<LeaseRecord> {
    const { kv, word } = await this.#standing(key, { expected, verb: "renew" });
    const { rawValue, lease } = kv;
    const own = ownIn(word);
    const record = { ...own, key, value: jsonOf(rawValue).value };
    if (lease === "0") return { ...record, expires: undefined, revision: expected };
    const life = new Life(this.#clock, ttl);
    const granted = await this.#leases.keepAlive(lease);
    if (granted === 0 || life.isOver) throw conflict("renew", key, "it is expiring");
    const prolonged = { ...record, expires: life.expires, revision: expected };
    const last = this.#written.get(key);
    const isDue = last === undefined || this.#clock.monotonic() - last >= COURTESY;
    if (granted === ttl && !isDue) return prolonged;
    const id = granted === ttl ? lease : await this.#leases.grant(ttl);
    try {
      const writing = { key, rawValue, own, life, expected, old: lease, id };
      return { ...prolonged, revision: await this.#write(writing) };
    } catch (error) {
      // A full etcd keeps leases alive all the same.
      const isFull = error instanceof EtcdError && error.code === grpc.resourceExhausted;
      if (id !== lease || !isFull) throw error;
      this.#written.set(key, this.#clock.monotonic());
      return prolonged;
    }
  }

  /** Removes the lease at `expected` and remembers it as released. Throws `conflict`. */
  async remove(key: string, expected: number): Promise<void> {
    const { kv, word } = await this.#standing(key, { expected, verb: "remove" });
    const released = releasedWord({ node: word?.node, now: this.#clock.now() });
    const rawWord = encoded(JSON.stringify(released));
    this.#written.delete(key);
    let done: Outcome;
    try {
      done = await transact(this.#gateway, {
        compare: [standsAt(this.#keys.lease(key), expected)],
        success: [remove(this.#keys.lease(key)), put(this.#keys.word(key), rawWord)],
        failure: this.#gets(key),
      });
    } finally {
      this.#leases.drop(kv.lease);
    }
    await this.#leases.sweep();
    const [there, said] = done.found;
    const isOurs = done.isRepeated && there === undefined && said?.rawValue === rawWord;
    if (!done.succeeded && !isOurs) {
      throw conflict("remove", key, `it does not stand at revision ${expected}`);
    }
  }

  /** Writes the network config at `expected`. Throws `conflict`. */
  async configure(value: Json, expected: number): Promise<StoredConfig> {
    const key = this.#keys.config;
    const rawValue = encoded(JSON.stringify(value));
    const { succeeded, revision, found: [there], isRepeated } = await transact(this.#gateway, {
      compare: [standsAt(key, expected)],
      success: [put(key, rawValue)],
      failure: [get(key)],
    });
    if (succeeded) return { value, revision };
    if (isRepeated && there?.rawValue === rawValue) return { value, revision: there.modRevision };
    const why = expected === 0 ? "there is one" : `it does not stand at revision ${expected}`;
    throw new FlanError(`Cannot write the network config: ${why}`, { op: "store.write", code: "conflict" });
  }

  /** The lease at `expected`, as it is now. Throws `conflict`. */
  async #standing(key: string, { expected, verb }: { expected: number; verb: string }): Promise<Standing> {
    const { found: [kv, word] } = await transact(this.#gateway, { success: this.#gets(key) });
    if (kv === undefined) throw conflict(verb, key, "it does not exist");
    if (kv.modRevision !== expected) {
      throw conflict(verb, key, `it stands at revision ${kv.modRevision}, not ${expected}`);
    }
    const isOurs = word !== undefined && word.modRevision === expected;
    return { kv, word: isOurs ? wordOf(jsonOf(word.rawValue).value) : undefined };
  }

  /** Returns the revision at which the lease stands now. */
  async #write(writing: Writing): Promise<number> {
    const { key, old, id, life, expected } = writing;
    let revision: number;
    try {
      revision = await this.#put(writing);
    } catch (error) {
      // Where it is not known whether the transaction was committed, either lease may be in use, and one is not.
      if (id !== old) this.#leases.drop(id);
      if (id !== old && !isConflict(error)) this.#leases.drop(old);
      if (isConflict(error)) await this.#leases.sweep();
      throw error;
    }
    this.#written.set(key, this.#clock.monotonic());
    if (id !== old) this.#leases.drop(old);
    await this.#leases.sweep();
    if (life.isOver) throw conflict(verbOf(expected), key, "its time passed before etcd had answered");
    return revision;
  }

  async #put({ key, rawValue, own, life, expected, old, id }: Writing): Promise<number> {
    const rawWord = encoded(JSON.stringify(heldWord({ ...own, ttl: life.ttl, now: life.began })));
    const done = await transact(this.#gateway, {
      compare: [standsAt(this.#keys.lease(key), expected)],
      success: [put(this.#keys.lease(key), rawValue, id), put(this.#keys.word(key), rawWord)],
      failure: this.#gets(key),
    });
    if (done.succeeded) return done.revision;
    const [kv, word] = done.found;
    if (kv === undefined) throw conflict(verbOf(expected), key, "it is gone");
    // Nobody else knows a lease that was granted just now. Without one it is told by what is written there.
    const isNew = id !== "0" && id !== old;
    const isSame = done.isRepeated && kv.rawValue === rawValue && word?.rawValue === rawWord;
    if (kv.lease === id && (isNew || isSame)) return kv.modRevision;
    throw conflict(verbOf(expected), key, `it stands at revision ${kv.modRevision}`);
  }

  /** The etcd lease for a key that is to live for `ttl` seconds: the present one where it can be, or a new one. */
  async #etcdLease(ttl: number | undefined, present: string = "0"): Promise<string> {
    if (ttl === undefined) return "0";
    if (present !== "0" && await this.#leases.keepAlive(present) === ttl) return present;
    return await this.#leases.grant(ttl);
  }

  /** Reads the lease and the word on it. */
  #gets(key: string): JsonObject[] {
    return [get(this.#keys.lease(key)), get(this.#keys.word(key))];
  }
}

function verbOf(expected: number): string {
  return expected === 0 ? "create" : "update";
}

function conflict(verb: string, key: string, why: string): FlanError {
  return new FlanError(`Cannot ${verb} lease ${quoted(key)}: ${why}`, {
    op: `store.${verb}`,
    code: "conflict",
  });
}
