/** Sees everything that is written to etcd: by flannel's rules, and never over what is another's. */
import { decodeRecord, isRefusal } from "../../lease/decode.ts";
import { isObject, type JsonObject } from "../../lease/go_json.ts";
import { parseKey } from "../../lease/key.ts";
import { PREFIX } from "./setting.ts";
import type { World } from "./world.ts";

const LEASES = `${PREFIX}/subnets/`;
const WORDS = `${PREFIX}/flan/leases/`;

/** A key as of its last event. */
interface Standing {
  readonly value: string;
  readonly lease: string;
}

export class Writes {
  readonly #world: World;
  readonly #standing = new Map<string, Standing>();

  constructor(world: World) {
    this.#world = world;
    this.#watch();
  }

  #watch(): void {
    const { etcd } = this.#world;
    this.#standing.clear();
    for (const { key, lease, wire } of etcd.keys.range({ start: "", end: "\0" }, 0)) {
      this.#standing.set(key, { value: atob(String(wire.value ?? "")), lease });
    }
    const leave = etcd.watch({ key: btoa("\0"), range_end: btoa("\0") }, (range) => ({
      range,
      deliver: ({ events }: JsonObject) => this.#judge((events ?? []) as unknown as JsonObject[]),
      end: () => {
        leave();
        if (!this.#world.isOver) this.#watch();
      },
    }));
  }

  /** The events of one revision. */
  #judge(events: readonly JsonObject[]): void {
    const after = new Map<string, Standing | undefined>();
    for (const { type, kv } of events) {
      if (!isObject(kv)) continue;
      const standing = { value: atob(String(kv.value ?? "")), lease: String(kv.lease ?? "0") };
      after.set(atob(String(kv.key)), type === "DELETE" ? undefined : standing);
    }
    for (const [key, now] of this.#world.admin.writing ? [] : after) {
      const before = this.#standing.get(key);
      const why = now === undefined
        ? isTaken(
          before,
          after.get(key.replace(LEASES, WORDS)),
          this.#standing.get(key.replace(LEASES, WORDS)),
        )
        : badWrite(key, { now, before });
      if (why !== undefined) this.#world.fail(`flan wrote ${key} = ${now?.value}: ${why}`);
    }
    for (const [key, now] of after) {
      if (now === undefined) this.#standing.delete(key);
      else this.#standing.set(key, now);
    }
  }
}

function badWrite(
  key: string,
  { now, before }: { now: Standing; before: Standing | undefined },
): string | undefined {
  if (!key.startsWith(`${PREFIX}/subnets`)) {
    return key.startsWith(`${PREFIX}/flan/`) ? undefined : "it is not flan's to write";
  }
  const name = key.slice(LEASES.length);
  try {
    parseKey(name);
    const decoded = decodeRecord({
      key: name,
      value: JSON.parse(now.value),
      node: undefined,
      expires: Infinity,
      revision: 1,
    });
    if (isRefusal(decoded)) return decoded.reason;
  } catch (error) {
    return String(error);
  }
  const holder = addressIn(before);
  if (holder !== undefined && holder !== "0.0.0.0" && holder !== addressIn(now)) {
    return `it is held by ${holder}`;
  }
  return now.lease === "0" && before?.lease !== "0" ? "it has no lease" : undefined;
}

/** Whether a lease that one host gave back was another's; an expiry says nothing of a release. */
function isTaken(
  before: Standing | undefined,
  word: Standing | undefined,
  wordBefore: Standing | undefined,
): string | undefined {
  if (before === undefined || word === undefined || wordBefore === undefined) return undefined;
  const [released, held] = [nodeIn(word), nodeIn(wordBefore)];
  return released === held ? undefined : `it is held by ${held} and given back by ${released}`;
}

function addressIn(standing: Standing | undefined): string | undefined {
  return /"PublicIP":"([\d.]+)"/.exec(standing?.value ?? "")?.[1];
}

function nodeIn({ value }: Standing): string | undefined {
  return /"node":"(\w+)"/.exec(value)?.[1];
}
