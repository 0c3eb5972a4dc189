import assert from "node:assert/strict";
import { directoryOf, removeLeftovers, siblings, writeDurably } from "../../../lease/file/durable_file.ts";
import { fails } from "../../conformance/store_suite.ts";

async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "flan-durable-" });
  try {
    await run(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a file is replaced as a whole, with the mode that was asked for", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/key`;
    await Deno.writeTextFile(path, "old", { mode: 0o644 });
    using old = await Deno.open(path);
    await writeDurably(path, "new", { mode: 0o600 });
    assert.equal(await Deno.readTextFile(path), "new");
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    // Who has the old file open goes on reading the old contents.
    const buffer = new Uint8Array(8);
    assert.equal(new TextDecoder().decode(buffer.subarray(0, await old.read(buffer) ?? 0)), "old");
    assert.deepEqual([...Deno.readDirSync(directory)].map(({ name }) => name), ["key"]);
  }));

Deno.test("when the last look at the old file fails it stays, and nothing is left behind", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/file`;
    await Deno.writeTextFile(path, "old");
    const beforeRename = () => {
      assert.equal(Deno.readTextFileSync(path), "old");
      return Promise.reject(new Error("no"));
    };
    const { message } = await fails(writeDurably(path, "new", { beforeRename }), "failed");
    assert.equal(message, `Cannot write ${path}: no`);
    assert.equal(await Deno.readTextFile(path), "old");
    assert.deepEqual(await siblings(path, ".tmp-"), []);
  }));

Deno.test("a temporary name that is taken, even by a link, is not written through", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/file`;
    await Deno.writeTextFile(`${directory}/precious`, "precious");
    await Deno.symlink(`${directory}/precious`, `${path}.tmp-${Deno.pid}-0`);
    await writeDurably(path, "new");
    assert.equal(await Deno.readTextFile(`${directory}/precious`), "precious");
    assert.equal(await Deno.readTextFile(path), "new");
  }));

Deno.test("writers of one file at once each write it whole", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/file`;
    const texts = Array.from({ length: 10 }, (_, i) => `${i}`.repeat(100_000));
    await Promise.all(texts.map((text) => writeDurably(path, text)));
    assert.ok(texts.includes(await Deno.readTextFile(path)));
  }));

Deno.test("a directory that is missing is named with the system's reason", () =>
  inDirectory(async (directory) => {
    const path = `${directory}/missing/file`;
    const { message } = await fails(writeDurably(path, ""), "failed");
    assert.equal(message, `Cannot write ${path}: No such file or directory (os error 2)`);
  }));

Deno.test("only leftovers of this very file are removed", () =>
  inDirectory(async (directory) => {
    for (const name of ["a.tmp-1-0", "a.tmp-77-9", "b.tmp-1-0", "a.tmp", "aa.tmp-1-0"]) {
      await Deno.writeTextFile(`${directory}/${name}`, "");
    }
    await removeLeftovers(`${directory}/a`);
    const left = [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
    assert.deepEqual(left, ["a.tmp", "aa.tmp-1-0", "b.tmp-1-0"]);
  }));

Deno.test("directory parts of paths", () => {
  assert.deepEqual(["/a/b", "/a", "a", "a/b", "./a"].map(directoryOf), ["/a", "/", ".", "a", "."]);
});
