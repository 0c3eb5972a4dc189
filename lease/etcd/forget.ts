/** Takes away flan's words on subnets that nobody holds any more. */
import type { JsonObject } from "../go_json.ts";
import type { Gateway } from "./gateway.ts";
import { type Keys, remove, standsAt } from "./keys.ts";
import type { PastLease } from "../store.ts";

/** Operations in one transaction; etcd allows 128 by default (`--max-txn-ops`). */
const BATCH = 100;

/** A past lease and the revision of the word that tells of it. */
export interface PastWord {
  readonly past: PastLease;
  readonly revision: number;
}

/** Deletes the words of what ended before `before` (milliseconds since 1970); returns how many. */
export async function forgetPast(
  gateway: Gateway,
  { keys, words, before }: { keys: Keys; words: readonly PastWord[]; before: number },
): Promise<number> {
  const meant = words.filter(({ past }) => past.ended < before);
  let count = 0;
  for (let i = 0; i < meant.length; i += BATCH) {
    const batch = meant.slice(i, i + BATCH);
    if (await forget(gateway, { keys, words: batch })) count += batch.length;
    else for (const one of batch) count += await forget(gateway, { keys, words: [one] }) ? 1 : 0;
  }
  return count;
}

/** Deletes all of the words, or none where one of them was written meanwhile. */
async function forget(
  gateway: Gateway,
  { keys, words }: { keys: Keys; words: readonly PastWord[] },
): Promise<boolean> {
  const names = words.map(({ past, revision }) => ({ name: keys.word(past.key), revision }));
  const request: JsonObject = {
    compare: names.map(({ name, revision }) => standsAt(name, revision)),
    success: names.map(({ name }) => remove(name)),
  };
  return (await gateway.call("kv/txn", request)).succeeded === true;
}
