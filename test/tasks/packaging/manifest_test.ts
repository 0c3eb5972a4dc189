/** The list of what is installed: what it says, what is refused, and what is removed by it. */
import assert from "node:assert/strict";
import { install } from "../../../tasks/install.ts";
import type { Entry } from "../../../tasks/packaging/entry.ts";
import {
  formatManifest,
  manifestPath,
  parseManifest,
  readManifest,
  removeListed,
} from "../../../tasks/packaging/manifest.ts";
import { Root } from "./root.ts";

const prefix = "/opt";
const file = (path: string): Entry => ({ kind: "file", path, mode: 0o644, content: path });
const config: Entry = { kind: "file", path: "/etc/flan/config", mode: 0o644, content: "", keep: true };

Deno.test("manifest: what is written is read again", () => {
  const manifest = { files: ["/a/b", "/c"], folders: ["/a", "/a/d"] };
  assert.equal(formatManifest(manifest), "/a/\n/a/b\n/a/d/\n/c\n");
  assert.deepEqual(parseManifest(formatManifest(manifest)), manifest);
});

Deno.test("manifest: a list with a line that leads elsewhere is refused whole", () => {
  for (const line of ["relative", "/a/../b", "/..", "/a//b", "/", "/a/./b", "//"]) {
    assert.throws(() => parseManifest(`/fine\n${line}\n`), { code: "invalid" }, line);
  }
});

Deno.test("install: uninstalling leaves the root as it was, but for the administrator's file", () => {
  using root = new Root();
  root.write("/opt/lib/other", "");
  const before = root.list();
  install([file("/opt/lib/flan/a/b"), file("/opt/share/x"), config], { root: root.path, prefix });
  removeListed(readManifest(prefix, root.path)!, root.path);
  const left = root.list().filter((line) => !before.includes(line));
  assert.deepEqual(left.map((line) => line.slice(11)), ["/etc", "/etc/flan", "/etc/flan/config"]);
});

Deno.test("install: once more is the same, and folders that the first one made go with the second", () => {
  using root = new Root();
  const entries = [file("/opt/lib/flan/a/b"), config];
  install(entries, { root: root.path, prefix });
  const first = [root.list(), root.read(manifestPath(prefix))];
  install(entries, { root: root.path, prefix });
  assert.deepEqual([root.list(), root.read(manifestPath(prefix))], first);
  removeListed(readManifest(prefix, root.path)!, root.path);
  assert.ok(!root.list().some((line) => line.includes("/opt")));
});

Deno.test("install: what only the older version had is taken away, and a stranger's file beside it is not", () => {
  using root = new Root();
  const older = ["old", "both", "tree/deep/old", "mixed/old"].map((name) => file(`/opt/lib/flan/${name}`));
  install([...older, config], { root: root.path, prefix });
  for (const name of ["strange", "mixed/strange"]) root.write(`/opt/lib/flan/${name}`, "");
  install([file("/opt/lib/flan/new"), file("/opt/lib/flan/both"), config], { root: root.path, prefix });
  const names = root.list().map((line) => line.slice(11)).filter((path) => path.startsWith("/opt/lib/flan/"));
  assert.deepEqual(
    names,
    ["both", "manifest", "mixed", "mixed/strange", "new", "strange"].map((name) => `/opt/lib/flan/${name}`),
  );
  const { folders } = readManifest(prefix, root.path)!;
  assert.deepEqual(folders, ["/etc", "/etc/flan", "/opt", "/opt/lib", "/opt/lib/flan"]);
  removeListed(readManifest(prefix, root.path)!, root.path);
  assert.deepEqual(root.list().map((line) => line.slice(11)).at(-1), "/opt/lib/flan/strange");
});

Deno.test("install: one that failed in the middle can be taken away", () => {
  using root = new Root();
  const torn: Entry = { kind: "file", path: "/opt/share/x", mode: 0o644, content: { file: "/no/such/file" } };
  assert.throws(() => install([file("/opt/lib/flan/a"), torn], { root: root.path, prefix }));
  removeListed(readManifest(prefix, root.path)!, root.path);
  assert.deepEqual(root.list(), []);
});
