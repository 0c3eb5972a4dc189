/** What the README says and a machine can hold it to. */
import assert from "node:assert/strict";
import { type CodeFacts, healthCodes } from "../agent/health_codes.ts";

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

/** The table of health codes, a row for each code; `GOLDEN=write` writes it (and `deno fmt` its columns). */
function codeRows(): string[][] {
  return Object.entries<CodeFacts>(healthCodes).map(([code, { severity, means, needs, within, remedy }]) => [
    `\`${code}\``,
    severity,
    means,
    needs.map((one) => `\`${one}\``).join(", ") || "-",
    within,
    // What stands between angle brackets would be a tag.
    remedy.replaceAll("<", "\\<"),
  ]);
}

Deno.test("the table of health codes says what the program says of them", () => {
  const part = (text: string) =>
    text.split("\n## ").find((one) => one.startsWith("When something is wrong"))!;
  // The first table of its part.
  const tableIn = (text: string) => /(?:^\|.*\n)+/m.exec(part(text))![0].trimEnd().split("\n");
  if (Deno.env.get("GOLDEN") === "write") {
    const names = ["code", "severity", "means", "follows from", "shows within", "what to do"];
    const rows = [names, names.map(() => "---"), ...codeRows()].map((cells) => `| ${cells.join(" | ")} |`);
    const old = tableIn(readme).join("\n");
    Deno.writeTextFileSync(new URL("README.md", root), readme.replace(old, () => rows.join("\n")));
  }
  const cells = tableIn(Deno.readTextFileSync(new URL("README.md", root))).slice(2)
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  assert.deepEqual(cells, codeRows());
});
