/** Things that come one by one, taken as many at a time as have come. */

/**
 * Yields what has come since the last time, at least one, in its order. Beyond `most` the source itself has to keep what
 * comes. Ends and throws as the source does.
 */
export async function* batches<T>(source: AsyncIterable<T>, most: number): AsyncGenerator<readonly T[]> {
  let waiting: T[] = [];
  let isOver = false;
  let news = Promise.withResolvers<void>();
  let room = Promise.withResolvers<void>();
  const taking = (async () => {
    for await (const one of source) {
      waiting.push(one);
      news.resolve();
      if (waiting.length >= most) await room.promise;
    }
  })().finally(() => {
    isOver = true;
    news.resolve();
  });
  taking.catch(() => {}); // awaited at the end
  while (true) {
    await news.promise;
    news = Promise.withResolvers<void>();
    const batch = waiting;
    waiting = [];
    room.resolve();
    room = Promise.withResolvers<void>();
    if (batch.length > 0) yield batch;
    else if (isOver) return await taking;
    if (isOver) news.resolve();
  }
}
