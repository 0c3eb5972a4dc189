/** However much a program says, no more than the limit of it is kept, and it is never held up. */
import assert from "node:assert/strict";
import { readBounded } from "../../net/bounded_stream.ts";

const streamOf = (...texts: string[]) =>
  ReadableStream.from(texts.map((text) => new TextEncoder().encode(text)));

Deno.test("a bounded stream: all of a short one, the beginning of a long one, and how long it was", async () => {
  assert.deepEqual(await readBounded(streamOf("ab", "", "cd"), 4), { text: "abcd", length: 4 });
  assert.deepEqual(await readBounded(streamOf("ab", "cde", "f"), 3), { text: "abc", length: 6 });
  assert.deepEqual(await readBounded(streamOf(), 3), { text: "", length: 0 });
});

Deno.test("a bounded stream: a character that comes in two pieces is whole, one that is cut is marked", async () => {
  const [first, second] = [new Uint8Array([0xc3]), new Uint8Array([0xa4])];
  const stream = () => ReadableStream.from([first, second]);
  assert.deepEqual(await readBounded(stream(), 2), { text: "ä", length: 2 });
  assert.deepEqual(await readBounded(stream(), 1), { text: "\ufffd", length: 2 });
});

Deno.test("bounded stream: one that never ends is cut off, and what came until then is kept", async () => {
  const cut = new AbortController();
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (controller) => controller.enqueue(new TextEncoder().encode("ab")),
    pull: () => cut.abort(),
    cancel: () => void (cancelled = true),
  }, { highWaterMark: 0 });
  assert.deepEqual(await readBounded(stream, 9, cut), { text: "ab", length: 2 });
  assert.ok(cancelled);
});
