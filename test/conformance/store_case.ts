/** What the cases of the store suites are made of. */
import assert from "node:assert/strict";
import type { ErrorCode } from "../../net/errors.ts";
import { FlanError } from "../../net/errors.ts";
import type { Json } from "../../net/json.ts";
import type { LeaseRecord, NewRecord, Snapshot, Store } from "../../lease/store.ts";

/** One network in one store, and hands on what surrounds it. */
export interface Opened {
  /** Another handle on the same network, as another host has. */
  open(): Store;
  /** The time that the store goes by, milliseconds since 1970. */
  now(): number;
  /** How far the times that the store tells may be from that, in milliseconds. */
  readonly tolerance: number;
  /** Makes the lease `key` run out; resolves when it has. */
  expire(key: string): Promise<void>;
  /**
   * Breaks every connection that is open, as a restart of the store does, and resolves when the store can be used
   * again and waiting clients had time to notice. Does nothing for a store without connections.
   */
  interrupt(): Promise<void>;
  close(): Promise<void>;
}

/** Cases by what they prove. */
export type Cases<T = Opened> = Readonly<Record<string, (network: T) => Promise<void>>>;

/** Registers the cases, each on a network of its own. */
export function register<T extends { close(): Promise<void> }>(
  cases: Cases<T>,
  { name, open }: { readonly name: string; readonly open: () => Promise<T> },
): void {
  for (const [title, run] of Object.entries(cases)) {
    Deno.test(`${name}: ${title}`, async () => {
      const network = await open();
      try {
        await run(network);
      } finally {
        await network.close();
      }
    });
  }
}

export const config: Json = { Network: "10.5.0.0/16", Backend: { Type: "vxlan" } };

/** A lease of host `i`. */
export function lease(i: number, options: Partial<NewRecord> = {}): NewRecord {
  const value = { PublicIP: `192.168.0.${i}`, PublicIPv6: null, BackendType: "vxlan" };
  return { key: `10.5.${i}.0-24`, value, node: `node-${i}`, ttl: 3600, ...options };
}

/** Everything of the records that a plain read tells; when a lease ends it need not. */
export function told(records: readonly LeaseRecord[]) {
  return records.map(({ expires, ...rest }) => ({ ...rest, ends: expires !== undefined }));
}

/** Whether `actual` is `expected` as far as the store's times go. */
export function assertTime(
  actual: number | undefined,
  expected: number,
  { tolerance }: { readonly tolerance: number },
): void {
  assert.ok(
    actual !== undefined && Math.abs(actual - expected) <= tolerance,
    `expected ${expected} ± ${tolerance} ms, not ${actual}`,
  );
}

/** Runs `body` with a function that gives the watch's next snapshot. */
export async function watching(
  store: Store,
  from: number,
  body: (next: () => Promise<Snapshot>) => Promise<void>,
): Promise<void> {
  const abort = new AbortController();
  const iterator = store.watch(from, abort.signal)[Symbol.asyncIterator]();
  try {
    await body(async () => {
      const { done, value } = await iterator.next();
      assert.ok(!done, "the watch ended");
      return value;
    });
  } finally {
    abort.abort();
    await iterator.return?.();
  }
}

/** The first of a watch's snapshots that `fits`. */
export async function until(
  next: () => Promise<Snapshot>,
  fits: (snapshot: Snapshot) => boolean,
): Promise<Snapshot> {
  for (;;) {
    const snapshot = await next();
    if (fits(snapshot)) return snapshot;
  }
}

/** The FlanError that the promise is rejected with; its code must be `code`. */
export async function fails(promise: Promise<unknown>, code: ErrorCode): Promise<FlanError> {
  const error = await promise.then(() => undefined, (reason) => reason);
  assert.ok(error instanceof FlanError, `expected a FlanError, not ${error}`);
  assert.equal(error.code, code, error.message);
  return error;
}
