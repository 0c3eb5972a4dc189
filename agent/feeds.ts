/**
 * What the agent listens to: the store's snapshots and the kernel's events. Both only wake the loop; what
 * there is to do is found by comparing, never by following events.
 */
import type { Clock } from "../net/clock.ts";
import { type FlanError, isStoreTrouble } from "../net/errors.ts";
import type { Kernel, KernelEvent } from "../kernel/kernel.ts";
import type { Snapshot, Store } from "../lease/store.ts";

const RETRY_MS = { first: 500, most: 30_000 };

export interface StoreListener {
  readonly signal: AbortSignal;
  readonly seen: (snapshot: Snapshot) => void;
  /** The store cannot be reached or used, or, without an error, can again. */
  readonly troubled: (error: FlanError | undefined) => void;
}

export class StoreFeed {
  readonly #store: Store;
  readonly #clock: Clock;
  /** Aborts the pause before the next attempt. */
  #pause = new AbortController();

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Hands every snapshot that differs from the one at revision `from` to `seen`, and what keeps the store from being
   * used to `troubled`, until `signal` aborts. Reads anew and watches again after a failure, with back-off and jitter.
   */
  async follow(from: number, { signal, seen, troubled }: StoreListener): Promise<void> {
    let revision = from;
    let wait = RETRY_MS.first;
    while (!signal.aborted) {
      try {
        for await (const snapshot of this.#store.watch(revision, signal, { troubled })) {
          revision = snapshot.revision;
          wait = RETRY_MS.first;
          seen(snapshot);
        }
      } catch (error) {
        if (!isStoreTrouble(error)) throw error;
        troubled(error);
      }
      if (signal.aborted) return;
      this.#pause = new AbortController();
      const either = AbortSignal.any([signal, this.#pause.signal]);
      await this.#clock.sleep(wait / 2 + this.#clock.random(wait / 2), either);
      wait = Math.min(wait * 2, RETRY_MS.most);
      const snapshot = await this.#store.read().catch((error) => {
        if (!isStoreTrouble(error)) throw error;
        troubled(error);
        return undefined;
      });
      if (snapshot !== undefined) {
        // Whatever was missed meanwhile is in here; a store that was restored may even have gone back.
        revision = snapshot.revision;
        troubled(undefined);
        seen(snapshot);
      }
    }
  }

  /** Somebody else has found the store in order: the next attempt is now. */
  hasten(): void {
    this.#pause.abort();
  }
}

/** Hands every event that somebody else caused to `seen`, until `signal` aborts; subscribes at the call. */
export async function followKernel(
  kernel: Kernel,
  { signal, seen }: { signal: AbortSignal; seen: (event: KernelEvent) => void },
): Promise<void> {
  for await (const event of kernel.events(signal)) if (!event.own) seen(event);
}
