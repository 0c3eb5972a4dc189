/** Two sources of events as one. */

export interface Sources<T> {
  /** Ends when the signal aborts. */
  readonly first: (signal: AbortSignal) => AsyncIterable<T>;
  /** Hands on what it has until the signal aborts. */
  readonly second: (tell: (item: T) => void, signal: AbortSignal) => Promise<void>;
}

/**
 * What both sources give, as it comes, until `signal` aborts or the first one ends. Both begin at the call. Throws what
 * either of them throws.
 */
export function merged<T>({ first, second }: Sources<T>, signal: AbortSignal): AsyncIterable<T> {
  const left = new AbortController();
  const stop = AbortSignal.any([signal, left.signal]);
  const queue: T[] = [];
  let wake = () => {};
  let ended = stop.aborted;
  let failed: { readonly error: unknown } | undefined;
  const tell = (item: T) => {
    queue.push(item);
    wake();
  };
  const end = () => {
    ended = true;
    wake();
  };
  const fail = (error: unknown) => {
    failed ??= { error };
    end();
  };
  stop.addEventListener("abort", end, { once: true });
  const pump = async (items: AsyncIterable<T>) => {
    for await (const item of items) tell(item);
  };
  const pumps = [pump(first(stop)).then(end, fail), second(tell, stop).catch(fail)];
  return (async function* () {
    try {
      while (!stop.aborted) {
        while (queue.length > 0 && !stop.aborted) yield queue.shift()!;
        if (failed !== undefined) throw failed.error;
        if (ended) return;
        await new Promise<void>((resolve) => wake = resolve);
      }
    } finally {
      left.abort();
      await Promise.all(pumps);
    }
  })();
}
