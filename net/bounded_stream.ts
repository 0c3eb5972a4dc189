/** Streams from programs, of which no more than a limit is held however much comes. */

export interface BoundedText {
  /** The beginning, as UTF-8. */
  readonly text: string;
  /** Bytes that came in all, those that were dropped too. */
  readonly length: number;
}

/** Reads to the end and keeps the first `limit` bytes, so that whoever writes is never held up. */
export async function readBounded(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  limit: number,
): Promise<BoundedText> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for await (const bytes of stream) {
    const room = limit - length;
    if (room > 0) text += decoder.decode(bytes.subarray(0, room), { stream: true });
    length += bytes.length;
  }
  return { text: text + decoder.decode(), length };
}
