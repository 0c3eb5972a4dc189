/** How leases are written: every write is one transaction on the revision that the lease is expected at. */
import type { Clock } from "../../net/clock.ts";
import { FlanError } from "../../net/errors.ts";
import type { Json } from "../../net/json.ts";
import { quoted } from "../../net/text.ts";
import { isConflict } from "../conflict.ts";
import type { JsonObject } from "../go_json.ts";
import type { LeaseRecord, NewRecord, StoredConfig } from "../store.ts";
import { EtcdLeases } from "./etcd_leases.ts";
import { headerOf, jsonOf, type KeyValue, keyValueOf, object, objects } from "./fields.ts";
import { EtcdError, type Gateway, grpc } from "./gateway.ts";
import { encoded, get, type Keys, put, remove, standsAt } from "./keys.ts";
import { heldWord, releasedWord, type Word, wordOf } from "./words.ts";

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
  readonly node: string | undefined;
  readonly ttl: number | undefined;
  readonly expected: number;
  /** The etcd lease that the key is attached to now, and whether it may stay. */
  readonly old: string;
  readonly keep: boolean;
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
  async create({ key, value, node, ttl }: NewRecord): Promise<LeaseRecord> {
    const rawValue = encoded(JSON.stringify(value));
    const written = await this.#write({ key, rawValue, node, ttl, expected: 0, old: "0", keep: false });
    return { key, value, node, ...written };
  }

  /** Replaces the lease at `expected`. Throws `conflict`. */
  async update({ key, value, node, ttl }: NewRecord, expected: number): Promise<LeaseRecord> {
    const { kv, word } = await this.#standing(key, { expected, verb: "update" });
    const keep = word !== undefined && word.ttl === ttl;
    const rawValue = encoded(JSON.stringify(value));
    const written = await this.#write({ key, rawValue, node, ttl, expected, old: kv.lease, keep });
    return { key, value, node, ...written };
  }

  /** Prolongs the lease at `expected`; writes it only now and then. Throws `conflict`. */
  async renew(key: string, { expected, ttl }: { expected: number; ttl: number }): Promise<LeaseRecord> {
    const { kv, word } = await this.#standing(key, { expected, verb: "renew" });
    const { rawValue, lease } = kv;
    const record = { key, value: jsonOf(rawValue), node: word?.node };
    if (lease === "0") return { ...record, expires: undefined, revision: expected };
    const granted = await this.#leases.keepAlive(lease);
    const expires = this.#clock.now() + ttl * 1000;
    if (granted === 0) throw conflict("renew", key, "it is expiring");
    const last = this.#written.get(key);
    const isDue = last === undefined || this.#clock.monotonic() - last >= COURTESY;
    if (granted === ttl && !isDue) return { ...record, expires, revision: expected };
    const writing = { key, rawValue, node: word?.node, ttl, expected, old: lease, keep: granted === ttl };
    return { ...record, ...await this.#write(writing) };
  }

  /** Removes the lease at `expected` and remembers it as released. Throws `conflict`. */
  async remove(key: string, expected: number): Promise<void> {
    const { kv, word } = await this.#standing(key, { expected, verb: "remove" });
    const released = releasedWord({ node: word?.node, now: this.#clock.now() });
    const done = await this.#transact({
      compare: [standsAt(this.#keys.lease(key), expected)],
      success: [remove(this.#keys.lease(key)), put(this.#keys.word(key), encoded(JSON.stringify(released)))],
    });
    this.#written.delete(key);
    if (done.succeeded !== true) throw conflict("remove", key, `it does not stand at revision ${expected}`);
    this.#leases.drop(kv.lease);
    await this.#leases.sweep();
  }

  /** Writes the network config at `expected`. Throws `conflict`. */
  async configure(value: Json, expected: number): Promise<StoredConfig> {
    const key = this.#keys.config;
    const answer = await this.#transact({
      compare: [standsAt(key, expected)],
      success: [put(key, encoded(JSON.stringify(value)))],
    });
    if (answer.succeeded === true) return { value, revision: headerOf(answer).revision };
    const why = expected === 0 ? "there is one" : `it does not stand at revision ${expected}`;
    throw new FlanError(`Cannot write the network config: ${why}`, { op: "store.write", code: "conflict" });
  }

  /** The lease at `expected`, as it is now. Throws `conflict`. */
  async #standing(key: string, { expected, verb }: { expected: number; verb: string }): Promise<Standing> {
    const found = await this.#transact({ success: this.#gets(key) });
    const [kv, word] = this.#found(found);
    if (kv === undefined) throw conflict(verb, key, "it does not exist");
    if (kv.modRevision !== expected) {
      throw conflict(verb, key, `it stands at revision ${kv.modRevision}, not ${expected}`);
    }
    const isOurs = word !== undefined && word.modRevision === expected;
    return { kv, word: isOurs ? wordOf(jsonOf(word.rawValue)) : undefined };
  }

  async #write(
    { key, rawValue, node, ttl, expected, old, keep }: Writing,
  ): Promise<{ expires: number | undefined; revision: number }> {
    const id = await this.#etcdLease(ttl, keep ? old : "0");
    const now = this.#clock.now();
    const word = encoded(JSON.stringify(heldWord({ node, ttl, now })));
    const [lease, verb] = [this.#keys.lease(key), expected === 0 ? "create" : "update"];
    let revision: number;
    try {
      const answer = await this.#transact({
        compare: [standsAt(lease, expected)],
        success: [put(lease, rawValue, id), put(this.#keys.word(key), word)],
        failure: this.#gets(key),
      });
      const [kv] = answer.succeeded === true ? [] : this.#found(answer);
      // Nobody else knows a lease that was granted just now: this very transaction was committed before.
      const isOurs = id !== "0" && id !== old && kv?.lease === id;
      if (answer.succeeded !== true && !isOurs) {
        throw conflict(
          verb,
          key,
          kv === undefined ? "it is gone" : `it stands at revision ${kv.modRevision}`,
        );
      }
      revision = isOurs ? kv!.modRevision : headerOf(answer).revision;
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
    return { expires: ttl === undefined ? undefined : now + ttl * 1000, revision };
  }

  /** The etcd lease for a key that is to live for `ttl` seconds: the present one where it can be, or a new one. */
  async #etcdLease(ttl: number | undefined, present: string): Promise<string> {
    if (ttl === undefined) return "0";
    if (present !== "0" && await this.#leases.keepAlive(present) === ttl) return present;
    return await this.#leases.grant(ttl);
  }

  async #transact(request: JsonObject): Promise<JsonObject> {
    try {
      return await this.#gateway.call("kv/txn", request);
    } catch (error) {
      if (!(error instanceof EtcdError) || error.code !== grpc.notFound) throw error;
      // The etcd lease was over before the transaction came: whoever paused so long must look again.
      throw new FlanError("Cannot write to etcd: the lease ran out meanwhile", {
        op: "store.write",
        code: "conflict",
        cause: error,
      });
    }
  }

  #gets(key: string): JsonObject[] {
    return [get(this.#keys.lease(key)), get(this.#keys.word(key))];
  }

  /** What the two reads of {@link #gets} found. */
  #found(answer: JsonObject): (KeyValue | undefined)[] {
    const responses = objects(answer.responses, "the responses");
    return [0, 1].map((i) => {
      const range = object(responses[i]?.response_range, "the response to a read");
      const [kv] = objects(range.kvs, "the keys");
      return kv === undefined ? undefined : keyValueOf(kv);
    });
  }
}

function conflict(verb: string, key: string, why: string): FlanError {
  return new FlanError(`Cannot ${verb} lease ${quoted(key)}: ${why}`, {
    op: `store.${verb}`,
    code: "conflict",
  });
}
