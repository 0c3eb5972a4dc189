/** The published schemas: one for each document that flan prints, and the golden documents are valid. */
import assert from "node:assert/strict";
import { documents } from "../../cmd/schemas/documents.ts";
import type { Json } from "../../net/json.ts";
import { compile, requireValid, requireValidAs, requireValidLine } from "../lib/schemas.ts";

const root = new URL("../../", import.meta.url);

/** What prints no documents of its own, beside hidden folders and what was built. */
const noSources = ["test", "fixtures", "tasks", "bin", "systemd", "build", "node_modules"];

/** Every schema that the sources name, with the file that does. */
function namedInSources(): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (folder: string): void => {
    for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, root))) {
      const path = `${folder}${name}`;
      if (isDirectory && path !== "cmd/schemas") visit(`${path}/`);
      if (!name.endsWith(".ts")) continue;
      const text = Deno.readTextFileSync(new URL(path, root));
      for (const [, printed, listed, literal] of text.matchAll(naming)) {
        found.set((printed ?? listed ?? literal)!, path);
      }
    }
  };
  for (const { name, isDirectory } of Deno.readDirSync(root)) {
    if (isDirectory && !name.startsWith(".") && !noSources.includes(name)) visit(`${name}/`);
  }
  return found;
}

const naming = /printJson\(\s*"([a-z-]+)"|\bschema: "([a-z-]+)"|"flan\.([a-z-]+)\/v1"/g;

Deno.test("every document that the sources name has a schema, and every schema a document", () => {
  const named = namedInSources();
  for (const [name, path] of named) {
    assert.ok(
      Object.hasOwn(documents, name),
      `${path} prints flan.${name}/v1, which cmd/schemas/documents.ts lacks: add a file and a line for it`,
    );
  }
  // It is flannel's document, and does not say what it is.
  const own = Object.keys(documents).filter((name) => name !== "network-config");
  assert.deepEqual(own.filter((name) => !named.has(name)), [], "no source prints these");
});

Deno.test("every schema is valid JSON Schema, is called what its document says, and tells of itself", () => {
  for (const [name, shape] of Object.entries(documents)) {
    compile(shape);
    assert.equal(shape["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert.match(String(shape["description"]), /flan|json/, name);
    if (name !== "network-config") assert.equal(shape["title"], `flan.${name}/v1`);
  }
  assert.deepEqual(Object.keys(documents), Object.keys(documents).toSorted());
});

Deno.test("a schema as it is printed takes a document of a later version, with more fields, and no lesser one", () => {
  const check = compile(documents["routes-diff"]!);
  const today = { schema: "flan.routes-diff/v1", clean: true, changes: [], conflicts: [] };
  assert.ok(check(today));
  assert.ok(check({ ...today, later: 1 }));
  assert.ok(!check({ ...today, clean: undefined }));
  assert.ok(!check({ ...today, schema: "flan.routes-diff/v2" }));
  assert.throws(() => requireValid({ ...today, later: 1 }), /must NOT have additional properties/);
  assert.throws(() => requireValid({ schema: "flan.nonsense/v1" }), /add a file to cmd\/schemas/);
});

/** What the golden files name instead of a value that differs from run to run, with such a value. */
const stands: Readonly<Record<string, Json>> = { "<time>": "2026-01-01T00:00:00.000Z", "<number>": 1 };

function filled(value: Json): Json {
  if (Array.isArray(value)) return value.map(filled);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, filled(item as Json)]));
  }
  return typeof value === "string" ? stands[value] ?? value : value;
}

/** The lines of these documents do not say what they are. */
const lines: Readonly<Record<string, string>> = {
  "lease-list-lines": "leases",
  "proxy-routes-lines": "proxy-routes",
};

for (const { name: file } of Deno.readDirSync(new URL("fixtures/json/v1/", root))) {
  Deno.test(`fixtures/json/v1/${file} is what its schema says`, () => {
    const name = file.replace(/\.json$/, "");
    // Several documents stand one after the other, each over several lines.
    const texts = Deno.readTextFileSync(new URL(`fixtures/json/v1/${file}`, root)).split(/(?<=^\}\n)/m);
    const found = texts.map((text) => filled(JSON.parse(text) as Json));
    for (const document of found) {
      if (name === "config-get") requireValidAs("network-config", document);
      else if (lines[name] !== undefined) requireValidLine(lines[name], document);
      else requireValid(document);
    }
  });
}

Deno.test("every document has a golden file", () => {
  const titles = [...Deno.readDirSync(new URL("fixtures/json/v1/", root))].flatMap(({ name }) => {
    const text = Deno.readTextFileSync(new URL(`fixtures/json/v1/${name}`, root));
    return [...text.matchAll(/"schema": ?"flan\.([a-z-]+)\/v1"/g)].map(([, title]) => title);
  });
  const own = Object.keys(documents).filter((name) => name !== "network-config");
  assert.deepEqual(own.filter((name) => !titles.includes(name)), [], "no golden file below fixtures/json/v1");
});
