/**
 * What the agent listens to: the store's snapshots and the kernel's events. Both only wake the loop; what
 * there is to do is found by comparing, never by following events.
 */
import type { Clock } from "../net/clock.ts";
import { type FlanError, isStoreTrouble } from "../net/errors.ts";
import type { Kernel, KernelEvent } from "../kernel/kernel.ts";
import type { Snapshot, Store } from "../lease/store.ts";

const RETRY_MS = { first: 500, most: 30_000 };

/**
 * Hands every new snapshot to `seen`, and what keeps the store from being used to `troubled`, until `signal` aborts.
 * Reads anew and watches again after a failure, with back-off and jitter.
 */
export async function followStore(
  store: Store,
  { from, clock, signal, seen, troubled }: {
    from: number;
    clock: Clock;
    signal: AbortSignal;
    seen: (snapshot: Snapshot) => void;
    /** The store cannot be reached or used, or, without an error, can again. */
    troubled: (error: FlanError | undefined) => void;
  },
): Promise<void> {
  let revision = from;
  let wait = RETRY_MS.first;
  while (!signal.aborted) {
    try {
      for await (const snapshot of store.watch(revision, signal, { troubled })) {
        revision = snapshot.revision;
        wait = RETRY_MS.first;
        seen(snapshot);
      }
    } catch (error) {
      if (!isStoreTrouble(error)) throw error;
      troubled(error);
    }
    if (signal.aborted) return;
    await clock.sleep(wait / 2 + clock.random(wait / 2), signal);
    wait = Math.min(wait * 2, RETRY_MS.most);
    const snapshot = await store.read().catch((error) => {
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

/** Hands every event that somebody else caused to `seen`, until `signal` aborts; subscribes at the call. */
export async function followKernel(
  kernel: Kernel,
  { signal, seen }: { signal: AbortSignal; seen: (event: KernelEvent) => void },
): Promise<void> {
  for await (const event of kernel.events(signal)) if (!event.own) seen(event);
}
