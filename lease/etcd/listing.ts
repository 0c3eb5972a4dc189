/** Everything a store holds in etcd, at one revision, page by page. */
import type { JsonObject } from "../go_json.ts";
import { type CallOptions, EtcdError, type Gateway, grpc } from "./gateway.ts";
import type { Keys } from "./keys.ts";
import { Load, MAX_KEYS, tooMuch } from "./load.ts";
import { badReply, type Header, headerOf, integer, type KeyValue, keyValueOf, objects } from "./fields.ts";

/** A lease and its word have some 350 bytes as JSON: a page has about 1.5 MB, and 10,000 leases are 5 pages. */
const PAGE = 4096;
/** How often the pages are begun again because etcd was compacted meanwhile. */
const ATTEMPTS = 3;

export interface Listing {
  readonly header: Header;
  /** In the order of their bytes. */
  readonly kvs: readonly KeyValue[];
}

/**
 * Reads every key below the prefix. Throws `store-reply` for answers that cannot be, and for more than 200,000
 * keys or 24 MiB of values; beyond that what the gateway throws.
 */
export async function listAll(
  gateway: Gateway,
  { keys, signal }: { keys: Keys; signal?: AbortSignal | undefined },
): Promise<Listing> {
  for (let attempt = 1;; attempt++) {
    try {
      return await pages(gateway, { keys, options: signal === undefined ? {} : { signal } });
    } catch (error) {
      if (!(error instanceof EtcdError) || error.code !== grpc.outOfRange || attempt === ATTEMPTS) {
        throw error;
      }
    }
  }
}

async function pages(
  gateway: Gateway,
  { keys, options }: { keys: Keys; options: CallOptions },
): Promise<Listing> {
  const kvs: KeyValue[] = [];
  let header: Header | undefined;
  const load = new Load();
  for (let start = keys.root;;) {
    const answer = await gateway.call("kv/range", {
      key: btoa(start),
      range_end: btoa(keys.end),
      limit: String(PAGE),
      ...(header === undefined ? {} : { revision: String(header.revision) }),
    }, options);
    header ??= headerOf(answer);
    const count = kvs.length + integer(answer.count, "the count");
    if (count > MAX_KEYS) throw tooMuch(`${count} keys, and at most ${MAX_KEYS} are read`);
    const page = objects(answer.kvs, "the keys");
    for (const item of page) {
      const kv = keyValueOf(item);
      if (!(kv.bytes >= start && kv.bytes < keys.end)) throw badReply("a key", kv.bytes);
      start = `${kv.bytes}\0`;
      load.add(kv);
      kvs.push(kv);
    }
    if (!isMore(answer, page.length)) return { header, kvs };
  }
}

function isMore({ more }: JsonObject, length: number): boolean {
  if (more === undefined || more === false) return false;
  if (more !== true || length === 0) throw badReply("the mark of a further page", more);
  return true;
}
