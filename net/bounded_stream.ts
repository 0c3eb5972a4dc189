/** Streams from programs, of which no more than a limit is held however much comes. */

export interface BoundedText {
  /** The beginning, as UTF-8. */
  readonly text: string;
  /** Bytes that came in all, those that were dropped too. */
  readonly length: number;
}

/**
 * Reads to the end, or until `signal` aborts, and keeps the first `limit` bytes, so that whoever writes is never held
 * up.
 */
export async function readBounded(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  limit: number,
  { signal }: { signal?: AbortSignal } = {},
): Promise<BoundedText> {
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let cut = Promise.resolve();
  signal?.addEventListener("abort", () => cut = reader.cancel(), { once: true });
  let text = "";
  let length = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const room = limit - length;
    if (room > 0) text += decoder.decode(value.subarray(0, room), { stream: true });
    length += value.length;
  }
  await cut;
  return { text: text + decoder.decode(), length };
}
