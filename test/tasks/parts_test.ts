/** `deno task test`: its parts leave no test out. */
import assert from "node:assert/strict";
import { narrow, type Part, wide } from "../../tasks/parts.ts";

const root = new URL("../../", import.meta.url);

function testFiles(folder: string): string[] {
  return [...Deno.readDirSync(new URL(`${folder}/`, root))].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? testFiles(path) : name.endsWith("_test.ts") ? [path] : [];
  });
}

/** Whether a part runs a test file, by the paths of its command line and of its groups. */
function runs({ args, grouped }: Part, file: string): boolean {
  // The first argument is the command, and here a folder, too.
  const paths = [...args.slice(1), ...grouped?.folders ?? []];
  return paths.some((path) => file === path || file.startsWith(`${path}/`));
}

Deno.test("parts: every test file is run by one of them, and by no other, but for what collects garbage", () => {
  const parts = [...wide, ...narrow].filter(({ name }) => name !== "gc");
  const files = testFiles("test");
  assert.ok(files.length > 100);
  for (const file of files) {
    const names = parts.filter((part) => runs(part, file)).map(({ name }) => name);
    assert.equal(names.length, 1, `${file} is run by ${names.join(" and ") || "no part"}`);
  }
});

Deno.test("parts: no two have the same name", () => {
  const names = [...wide, ...narrow].map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
});
