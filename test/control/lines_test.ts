import assert from "node:assert/strict";
import { type Conn, readLine, writeLine } from "../../control/lines.ts";

/** A connection that gives these parts and then ends, and takes a few bytes at a time. */
function connection(parts: readonly (string | Uint8Array)[], takes = 3) {
  const queue = parts.map((part) => typeof part === "string" ? new TextEncoder().encode(part) : part);
  const written: number[] = [];
  const conn: Conn = {
    read(into) {
      const part = queue.shift();
      if (part === undefined) return Promise.resolve(null);
      const taken = part.subarray(0, into.length);
      into.set(taken);
      if (taken.length < part.length) queue.unshift(part.subarray(into.length));
      return Promise.resolve(taken.length);
    },
    write(bytes) {
      written.push(...bytes.subarray(0, takes));
      return Promise.resolve(Math.min(takes, bytes.length));
    },
    close() {},
  };
  return { conn, text: () => new TextDecoder().decode(Uint8Array.from(written)) };
}

Deno.test("lines: a line may come in any parts, also in the middle of a character", async () => {
  const bytes = new TextEncoder().encode("aé€\n");
  const whole = "aé€";
  for (let cut = 0; cut <= bytes.length; cut++) {
    const { conn } = connection([bytes.subarray(0, cut), bytes.subarray(cut)]);
    assert.equal(await readLine(conn, { limit: 100 }), whole);
  }
  const { conn } = connection([...bytes].map((byte) => Uint8Array.of(byte)));
  assert.equal(await readLine(conn, { limit: 100 }), whole);
});

Deno.test("lines: what comes after the first newline does not count", async () => {
  assert.equal(await readLine(connection(["one\ntwo\n"]).conn, { limit: 3 }), "one");
  assert.equal(await readLine(connection(["\n"]).conn, { limit: 0 }), "");
});

Deno.test("lines: one that ends early, is too long or no UTF-8 is refused", async () => {
  await assert.rejects(readLine(connection(["half"]).conn, { limit: 100 }), /the connection ended/);
  await assert.rejects(readLine(connection(["four\n"]).conn, { limit: 3 }), /more than 3 bytes came/);
  await assert.rejects(readLine(connection(["xx", "xx"]).conn, { limit: 3 }), /more than 3 bytes came/);
  await assert.rejects(readLine(connection([Uint8Array.of(0xff, 0x0a)]).conn, { limit: 3 }), TypeError);
});

Deno.test("lines: a long one waits for its turn once, and gives it back however it ends", async () => {
  const turns: string[] = [];
  const grow = () => {
    turns.push("taken");
    return Promise.resolve(() => void turns.push("given back"));
  };
  const long = "x".repeat(200_000);
  assert.equal(await readLine(connection([`${long}\n`]).conn, { limit: 1 << 20, grow }), long);
  assert.deepEqual(turns, ["taken", "given back"]);
  await assert.rejects(readLine(connection([long]).conn, { limit: 1 << 20, grow }));
  assert.deepEqual(turns.length, 4);
  await readLine(connection(["short\n"]).conn, { limit: 1 << 20, grow });
  assert.deepEqual(turns.length, 4);
});

Deno.test("lines: all of a line is written, however little is taken at once", async () => {
  const { conn, text } = connection([]);
  await writeLine(conn, "0123456789");
  assert.equal(text(), "0123456789\n");
});
