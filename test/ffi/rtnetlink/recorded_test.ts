import assert from "node:assert/strict";
import fc from "fast-check";
import { libc } from "../../../ffi/libc.ts";
import { libnl } from "../../../ffi/libnl.ts";
import { decodeEvent, LinkNames } from "../../../ffi/event.ts";
import { MessageParser } from "../../../ffi/message_parser.ts";
import type { KernelObject } from "../../../kernel/state.ts";
import { decodedAll } from "../messages.ts";

libc();
libnl();

interface Recording {
  readonly links: Readonly<Record<string, string>>;
  readonly messages: readonly { kind: KernelObject["kind"]; object: KernelObject | null; message: string }[];
}

const path = new URL("../../../fixtures/netlink/linux-6.18.json", import.meta.url);
const recording: Recording = JSON.parse(Deno.readTextFileSync(path));
const nameOf = (index: number) => recording.links[index];
const bytesOf = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));

Deno.test("recorded messages of a real kernel are read as what was there", () => {
  const parser = new MessageParser(64 * 1024);
  assert.ok(recording.messages.length >= 16);
  for (const { kind, object, message } of recording.messages) {
    const found = decodedAll(parser, bytesOf(message), nameOf).find((found) => found?.kind === kind);
    assert.deepEqual(found ?? null, object);
  }
});

Deno.test("recorded messages, cut and changed at random, give objects or nothing", () => {
  const parser = new MessageParser(64 * 1024);
  const names = new LinkNames();
  for (const [index, name] of Object.entries(recording.links)) names.set(Number(index), name);
  const context = { names, ownPort: 1, listenerPort: 2 };
  const edits = fc.array(fc.tuple(fc.nat({ max: 2000 }), fc.nat({ max: 255 })), { maxLength: 20 });
  const messages = fc.constantFrom(...recording.messages.map(({ message }) => bytesOf(message)));
  fc.assert(
    fc.property(messages, edits, fc.nat({ max: 2000 }), (whole, changes, cut) => {
      const bytes = whole.slice(0, Math.max(16, whole.length - (cut % whole.length)));
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      // The length that the message claims is right, so that every later check is reached.
      new DataView(bytes.buffer).setUint32(0, bytes.length, true);
      decodedAll(parser, bytes, nameOf);
      for (const bounds of parser.messages(bytes.length)) decodeEvent(parser, bounds, context);
    }),
    { numRuns: 5000 },
  );
});
