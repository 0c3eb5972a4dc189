/** Placing an installation's files: what is there afterwards, and that nothing half-made ever is. */
import assert from "node:assert/strict";
import type { Entry } from "../../../tasks/packaging/entry.ts";
import { missingFolders, place } from "../../../tasks/packaging/place.ts";
import { Root } from "./root.ts";

const file = (path: string, content: string, more: Partial<Entry> = {}) =>
  ({ kind: "file", path, mode: 0o644, content, ...more }) as Entry;

Deno.test("place: files, links and copies are there with their modes", () => {
  using root = new Root();
  root.write("/source", "bytes of a file");
  Deno.chmodSync(`${root.path}/source`, 0o600);
  place([
    file("/usr/lib/x/text", "text"),
    { kind: "file", path: "/usr/lib/x/program", mode: 0o755, content: new Uint8Array([1, 2]) },
    { kind: "file", path: "/usr/lib/x/copy", mode: 0o644, content: { file: `${root.path}/source` } },
    { kind: "link", path: "/usr/bin/x", target: "../lib/x/program" },
  ], root.path);
  assert.deepEqual(
    root.list(),
    [
      "drwxr-xr-x /usr",
      "drwxr-xr-x /usr/bin",
      "drwxr-xr-x /usr/lib",
      "drwxr-xr-x /usr/lib/x",
      "lrwxrwxrwx /usr/bin/x",
      "-rw-r--r-- /usr/lib/x/copy",
      "-rwxr-xr-x /usr/lib/x/program",
      "-rw-r--r-- /usr/lib/x/text",
      "-rw------- /source",
    ].sort((a, b) => a.slice(11) < b.slice(11) ? -1 : 1),
  );
  assert.equal(root.read("/usr/lib/x/copy"), "bytes of a file");
  assert.deepEqual(Deno.readFileSync(`${root.path}/usr/bin/x`), new Uint8Array([1, 2]));
});

Deno.test("place: who has the older file open keeps it", () => {
  using root = new Root();
  place([file("/a", "older")], root.path);
  using open = Deno.openSync(`${root.path}/a`);
  place([file("/a", "newer and longer")], root.path);
  const bytes = new Uint8Array(20);
  assert.equal(new TextDecoder().decode(bytes.subarray(0, open.readSync(bytes)!)), "older");
  assert.equal(root.read("/a"), "newer and longer");
});

Deno.test("place: where one file cannot be written, every older one is still in its place", () => {
  using root = new Root();
  root.write("/a", "older");
  assert.throws(
    () =>
      place(
        [file("/a", "newer"), { ...file("/b", ""), content: { file: "/no/such/file" } } as Entry],
        root.path,
      ),
    Deno.errors.NotFound,
  );
  assert.deepEqual(root.list(), ["-rw-r--r-- /a"]);
  assert.equal(root.read("/a"), "older");
});

Deno.test("place: what an interrupted installation left is written over, also a link", () => {
  using root = new Root();
  root.write("/kept", "somebody else's");
  Deno.symlinkSync("kept", `${root.path}/a.flan-new`);
  place([file("/a", "new")], root.path);
  assert.equal(root.read("/kept"), "somebody else's");
  assert.deepEqual(root.list(), ["-rw-r--r-- /a", "-rw-r--r-- /kept"]);
});

Deno.test("place: an administrator's file is made once and never written over", () => {
  using root = new Root();
  const config = file("/etc/x/config", "as it comes", { keep: true } as Partial<Entry>);
  place([config], root.path);
  root.write("/etc/x/config", "as it was changed");
  place([config], root.path);
  assert.equal(root.read("/etc/x/config"), "as it was changed");
});

Deno.test("place: only folders that are not there are missing, the outermost first", () => {
  using root = new Root();
  root.write("/usr/bin/other", "");
  const entries = [file("/usr/lib/x/y/z", ""), file("/usr/bin/x", ""), file("/etc/x", "")];
  assert.deepEqual(missingFolders(entries, root.path), ["/etc", "/usr/lib", "/usr/lib/x", "/usr/lib/x/y"]);
});
