/** What the README says and a machine can hold it to. */
import assert from "node:assert/strict";

const root = new URL("../", import.meta.url);
const readme = Deno.readTextFileSync(new URL("README.md", root));
const section = readme.split("\n## ").find((part) => part.startsWith("What happens when something fails"))!;
const rows = section.split("\n").filter((line) => line.startsWith("|")).slice(2);

Deno.test("every failure that the README tells of is proved by a test of that name", () => {
  assert.ok(rows.length >= 15);
  for (const row of rows) {
    const [, file, name] = /`(test\/[a-z_/0-9]+_test\.ts)`: (.+?) *\|$/.exec(row) ?? [];
    assert.ok(file !== undefined && name !== undefined, `no test is named in: ${row}`);
    const text = Deno.readTextFileSync(new URL(file, root));
    assert.ok(text.includes(name), `${file} has no test "${name}"`);
  }
});

Deno.test("every file and folder that the README names is there", () => {
  const named = [
    ...readme.matchAll(/`((?:cmd|agent|lease|backends|kernel|ffi|net|tasks|bin|test|fixtures)\/[\w./-]*)`/g),
  ];
  assert.ok(named.length > 5);
  for (const [, path] of named) assert.ok(Deno.statSync(new URL(path!, root)), path);
});
