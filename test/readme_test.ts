/** What the README says and a machine can hold it to. */
import assert from "node:assert/strict";
import { commandTree } from "../cmd/command_tree.ts";
import { exit, exitMeanings } from "../cmd/exit.ts";
import { commands } from "../main.ts";
import { alike, blocksIn } from "../tasks/readme/blocks.ts";
import { textsOf } from "../tasks/readme/outputs.ts";
import { columns as benchColumns } from "./bench/startup.ts";
import { benchesIn } from "./bench/readme.ts";
import { simpleCommands, whyUnknown } from "./lib/command_line.ts";
import { doctorCodes } from "../agent/health/doctor_codes.ts";
import { type CodeFacts, healthCodes } from "../agent/health/codes.ts";

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

/** The columns of a code's facts; those of the doctor's own codes show when it is asked. */
const columns = ["code", "severity", "means", "follows from", "shows within", "what to do"];
const doctorColumns = columns.filter((name) => name !== "shows within");

/** A row for each code. */
function codeRows(codes: Readonly<Record<string, CodeFacts>>, names: readonly string[]): string[][] {
  return Object.entries(codes).map(([code, { severity, means, needs, within, remedy }]) => {
    const cells: Record<string, string> = {
      code: `\`${code}\``,
      severity,
      means,
      "follows from": needs.map((one) => `\`${one}\``).join(", ") || "-",
      "shows within": within,
      // What stands between angle brackets would be a tag.
      "what to do": remedy.replaceAll("<", "\\<"),
    };
    return names.map((name) => cells[name]!);
  });
}

/** The tables of health codes: what the agent finds, and what only the doctor does. */
function codeTables(): string[][][] {
  const found = Object.entries(healthCodes).filter(([code]) => !Object.hasOwn(doctorCodes, code));
  return [
    [columns, ...codeRows(Object.fromEntries(found), columns)],
    [doctorColumns, ...codeRows(doctorCodes, doctorColumns)],
  ];
}

/** The first two tables of their part of the README. */
function tablesIn(text: string): string[] {
  const part = text.split("\n## ").find((one) => one.startsWith("When something is wrong"))!;
  return [...part.matchAll(/(?:^\|.*\n)+/gm)].slice(0, 2).map(([table]) => table);
}

/** `GOLDEN=write` writes them (and `deno fmt` their columns). */
Deno.test("the tables of health codes say what the program says of them, and who finds them", () => {
  if (Deno.env.get("GOLDEN") === "write") {
    const written = codeTables().map(([names, ...rows]) =>
      [names!, names!.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |\n`).join("")
    );
    const text = tablesIn(readme).reduce((all, old, i) => all.replace(old, () => written[i]!), readme);
    Deno.writeTextFileSync(new URL("README.md", root), text);
  }
  const cells = tablesIn(Deno.readTextFileSync(new URL("README.md", root))).map((table) =>
    table.trimEnd().split("\n").filter((_, i) => i !== 1)
      .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()))
  );
  assert.deepEqual(cells, codeTables());
});

const tree = await commandTree(commands);

Deno.test("every command line in the README's scripts is one that flan or deno task takes", () => {
  const scripts = [...readme.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, text]) =>
    simpleCommands(text!)
  );
  const known = scripts.filter(([program]) => program === "flan");
  assert.ok(known.length > 10);
  for (const [, ...words] of known) {
    assert.equal(whyUnknown(words, tree), undefined, `flan ${words.join(" ")}`);
  }
  const tasks = Object.keys(JSON.parse(Deno.readTextFileSync(new URL("deno.json", root))).tasks);
  for (const words of scripts) {
    const at = words.indexOf("task");
    if (at >= 0) assert.ok(tasks.includes(words[at + 1]!), words.join(" "));
  }
});

Deno.test("every command that the README's text names is one that flan takes", () => {
  const text = readme.replaceAll(/^```[\s\S]*?^```$/gm, "").replaceAll("\\|", "|");
  const named = [...text.matchAll(/`(flan [a-z][^`]*)`/g)].flatMap(([, line]) => simpleCommands(line!))
    .filter(([program]) => program === "flan");
  assert.ok(named.length > 20);
  for (const [, ...words] of named) {
    assert.equal(whyUnknown(words, tree), undefined, `flan ${words.join(" ")}`);
  }
});

Deno.test("the README tells the exit codes in the words of the manual page", () => {
  for (const name of ["done", "failed", "usage", "no", "store", "unsupported", "timeout"] as const) {
    assert.match(readme, new RegExp(`^\\| ${exit[name]} +\\| ${exitMeanings[name]} *\\|$`, "m"));
  }
});

Deno.test({
  name: `every output in the README is what flan prints${Deno.uid() === 0 ? "" : " (needs root)"}`,
  ignore: Deno.uid() !== 0,
  async fn() {
    const blocks = blocksIn(readme);
    assert.equal(blocks.length, [...readme.matchAll(/^<!-- output/gm)].length, "a mark without its block");
    const texts = await textsOf(blocks);
    blocks.forEach(({ text }, i) => {
      if (!alike(text, texts[i]!)) assert.equal(text, texts[i], "deno task readme writes it anew");
    });
  },
});

Deno.test("the README's figures of the bench have the columns that it prints, of the machine that it names", () => {
  for (const [part, text] of benchesIn(readme)) {
    assert.match(
      text,
      new RegExp(`^\\$ deno task bench ${part}\nmachine: .*, load [\\d.]+ at the start\n\n`),
    );
    for (const name of [...benchColumns, "PEERS", "COMMAND", "GOAL"]) assert.ok(text.includes(name), name);
    assert.equal(text.match(/^100{1,4}? +flan /gm)?.length, 10);
  }
});

Deno.test("no block of the README shows an output that no script has made: others are scripts and drawings", () => {
  const made = new Set([...blocksIn(readme).map(({ text }) => text), ...benchesIn(readme).values()]);
  for (const [, language, text = ""] of readme.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)) {
    const isScript = language === "sh" && !/^\$ /m.test(text);
    const isDrawing = language === "" && /[│▼▲═►]/.test(text);
    assert.ok(isScript || isDrawing || made.has(text), `nothing makes this block:\n${text}`);
  }
});
