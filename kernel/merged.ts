/** Two sources of events as one. */
import { Queue } from "../net/queue.ts";

export interface Sources<T> {
  /** Ends when the signal aborts. */
  readonly first: (signal: AbortSignal) => AsyncIterable<T>;
  /** Hands on what it has until the signal aborts. */
  readonly second: (tell: (item: T) => void, signal: AbortSignal) => Promise<void>;
}

export interface Merged<T> extends AsyncIterable<T> {
  /** Resolves when its reader has taken in what the sources gave before the call, or has left; at once where nobody reads. */
  takenIn(): Promise<void>;
  /** Resolves when nothing more comes of it: the signal aborted, or its reader has left. */
  readonly closed: Promise<void>;
}

/**
 * What both sources give, as it comes, until `signal` aborts or the first one ends. Both begin at the call. Throws what
 * either of them throws.
 */
export function merged<T>({ first, second }: Sources<T>, signal: AbortSignal): Merged<T> {
  const left = new AbortController();
  const stop = AbortSignal.any([signal, left.signal]);
  const queue = new Queue<T>();
  const closed = Promise.withResolvers<void>();
  const end = () => queue.end();
  let failed: { readonly error: unknown } | undefined;
  const fail = (error: unknown) => {
    failed ??= { error };
    end();
  };
  const close = () => {
    end();
    closed.resolve();
  };
  stop.addEventListener("abort", close, { once: true });
  if (stop.aborted) close();
  const pump = async (items: AsyncIterable<T>) => {
    for await (const item of items) queue.add(item);
  };
  const pumps = [pump(first(stop)).then(end, fail), second((item) => queue.add(item), stop).catch(fail)];
  const items = (async function* () {
    try {
      for await (const item of queue) {
        if (stop.aborted) return;
        yield item;
      }
      if (failed !== undefined && !stop.aborted) throw failed.error;
    } finally {
      left.abort();
      await Promise.all(pumps);
    }
  })();
  return { [Symbol.asyncIterator]: () => items, takenIn: () => queue.takenIn(), closed: closed.promise };
}
