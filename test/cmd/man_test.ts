/** The manual page as text: nothing in it is taken for a command of its language. */
import assert from "node:assert/strict";
import { literal, paragraphs, plain, sentences, tagged } from "../../cmd/man/mdoc.ts";
import { manualPage } from "../../cmd/man/page.ts";

Deno.test("dots, apostrophes, backslashes, quotes, dashes and letters beyond ASCII stand for themselves", () => {
  assert.equal(plain(".config\n'quoted'"), "\\&.config\n\\&'quoted'");
  assert.equal(plain('a\\nb "c" --d …'), "a\\enb \\(dqc\\(dq \\-\\-d \\[u2026]");
});

Deno.test("every sentence begins a line, no line is long, and no word is lost", () => {
  const text = `It is so. Then ${"word ".repeat(40)}end. And ${"x".repeat(90)}.`;
  const lines = sentences(text);
  assert.equal(lines[0], "It is so.");
  assert.ok(lines.includes("And"));
  assert.equal(lines.join(" "), text);
  assert.deepEqual(lines.filter((line) => line.length > 70), [`${"x".repeat(90)}.`]);
});

Deno.test("indented lines of a help's end stay as they are, and its text flows", () => {
  const end = paragraphs("Exits with 3\nwhere none runs.\n\nExample:\n  flan up | cat");
  assert.deepEqual(end, [
    ".Pp",
    "Exits with 3 where none runs.",
    ".Pp",
    "Example:",
    ...literal(["flan up | cat"]),
  ]);
});

Deno.test("a list without items is none, and a flag of a command that is called like a macro is a word", () => {
  assert.deepEqual(tagged([]), []);
  const flag = { name: "--In", short: undefined, argument: "<No>", summary: "s", values: [] };
  const page = manualPage(
    [{ name: "Os", summary: "It does", args: [], flags: [flag], after: "", children: [] }],
    { summary: "Joins", released: "2026-02-01" },
  );
  assert.match(page, /^\.Dd February 1, 2026$/m);
  assert.match(page, /^\.Ss "\\&flan Os"$/m);
  assert.match(page, /^\.It Fl \\-In Ar \\&No$/m);
});
