/**
 * flan's own word on a subnet, beside flannel's lease: who holds it, or who held it last. It is written in one
 * transaction with the lease, and so belongs to it exactly while both have one revision: a flanneld that
 * overwrites the lease leaves a word behind that is void.
 */
import type { Json } from "../../net/json.ts";
import { isObject } from "../go_json.ts";
import { isSeconds } from "../seconds.ts";
import type { OwnWord, PastLease } from "../store.ts";

export interface Word extends OwnWord {
  /** Seconds; undefined for a reservation. */
  readonly ttl: number | undefined;
  /** When the lease was written, or, of one that was released, when that was; seconds since 1970. */
  readonly at: number | undefined;
  readonly released: boolean;
}

/** The word of a lease that is written at `now` (milliseconds since 1970). */
export function heldWord(
  { node, reservedIp, otherPlanes, ttl, now }: OwnWord & { ttl: number | undefined; now: number },
): Json {
  return {
    ...(node === undefined ? {} : { node }),
    ...(reservedIp === undefined ? {} : { reservedIp }),
    ...(otherPlanes === undefined ? {} : { otherPlanes }),
    ...(ttl === undefined ? {} : { ttl }),
    written: Math.floor(now / 1000),
  };
}

export function releasedWord({ node, now }: { node: string | undefined; now: number }): Json {
  return { ...(node === undefined ? {} : { node }), released: Math.floor(now / 1000) };
}

/** Reads a word; what is odd in it is left out. */
export function wordOf(value: Json): Word {
  const { node, reservedIp, otherPlanes, ttl, written, released } = isObject(value)
    ? value
    : {} as Record<string, Json>;
  return {
    node: typeof node === "string" ? node : undefined,
    ...(typeof reservedIp === "string" ? { reservedIp } : {}),
    ...(otherPlanes === undefined ? {} : { otherPlanes }),
    ttl: isSeconds(ttl) ? ttl : undefined,
    at: isSeconds(released) ? released : isSeconds(written) ? written : undefined,
    released: released !== undefined,
  };
}

/** What a word says of its lease; no word says nothing. */
export function ownIn(word: Word | undefined): OwnWord {
  const { node, reservedIp, otherPlanes } = word ?? {};
  return {
    node,
    ...(reservedIp === undefined ? {} : { reservedIp }),
    ...(otherPlanes === undefined ? {} : { otherPlanes }),
  };
}

/**
 * What the word says once the lease is gone. A lease that was not released has expired, one that never would
 * was removed by hand. Undefined where the word has no time.
 */
export function pastOf(key: string, { node, ttl, at, released }: Word): PastLease | undefined {
  if (at === undefined) return undefined;
  const expired = !released && ttl !== undefined;
  return {
    key,
    how: expired ? "expired" : "released",
    ended: (expired ? at + ttl : at) * 1000,
    ...(node === undefined ? {} : { node }),
  };
}
