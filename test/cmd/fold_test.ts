/** What a narrow terminal shows: everything, on more lines. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { foldLine, foldTable } from "../../cmd/fold.ts";
import { table } from "../../cmd/output.ts";

const lines: readonly (readonly [name: string, line: string, columns: number, folded: readonly string[]])[] =
  [
    ["a pipe", "a b c", 0, ["a b c"]],
    ["a line with room", "a b c", 5, ["a b c"]],
    ["a line goes on below its text", "node    4b1d  192.0.2.1 on eth0", 24, [
      "node    4b1d  192.0.2.1",
      "        on eth0",
    ]],
    ["one without a label goes on further in", "not as planned: link flan.1", 20, [
      "not as planned: link",
      "    flan.1",
    ]],
    ["one with a mark and a code", "- a-code  the message is long", 24, [
      "- a-code  the message is",
      "          long",
    ]],
    ["one that begins further in stays there", "    the reason is long", 14, [
      "    the reason",
      "    is long",
    ]],
    ["a label that leaves no room", "2026-11-22T09:43:35.504Z  deleted  link flan.1", 40, [
      "2026-11-22T09:43:35.504Z  deleted  link",
      "    flan.1",
    ]],
    ["a word that is too long is left whole", "store   file:/var/lib/flan/network.json x", 20, [
      "store   file:/var/lib/flan/network.json",
      "        x",
    ]],
  ];

for (const [name, line, columns, folded] of lines) {
  Deno.test(`fold: ${name}`, () => assert.equal(foldLine(line, columns), folded.join("\n")));
}

Deno.test("fold: columns that have no room go on below, in every row alike", () => {
  const names = ["SUBNET", "VIA", "STATE", "NODE"];
  const rows = [["10.5.1.0/24", "-", "local", "11aa"], ["10.5.2.0/24", "192.0.2.2", "ok", "22bb"]];
  assert.equal(
    table(names, rows, 24),
    [
      "SUBNET       VIA",
      "    STATE  NODE",
      "10.5.1.0/24  -",
      "    local  11aa",
      "10.5.2.0/24  192.0.2.2",
      "    ok     22bb",
    ].join("\n"),
  );
});

Deno.test("fold: one long cell goes on below in its own row only", () => {
  const rows = [["store", "file:/var/lib/flan/network.json", "flag"], ["mtu", "-", "default"]];
  assert.equal(
    table(["SETTING", "VALUE", "SOURCE"], rows, 40),
    [
      "SETTING  VALUE  SOURCE",
      "store    file:/var/lib/flan/network.json",
      "         flag",
      "mtu      -      default",
    ].join("\n"),
  );
});

const word = fc.stringMatching(/^[a-z.]{1,20}$/);

Deno.test("fold: every word of a line and every cell of a table is still there, in order", () => {
  fc.assert(
    fc.property(fc.array(word, { minLength: 1 }), fc.integer({ min: 1, max: 100 }), (words, columns) => {
      const folded = foldLine(words.join(" "), columns);
      assert.deepEqual(folded.split(/\s+/), words);
      for (const line of folded.split("\n")) {
        assert.ok(line.length <= columns || !line.trim().includes(" "), line);
      }
    }),
  );
  const row = fc.tuple(word, word, word, word);
  fc.assert(
    fc.property(fc.array(row, { minLength: 1 }), fc.integer({ min: 1, max: 100 }), (rows, columns) => {
      const widths = rows[0]!.map((_, i) => Math.max(...rows.map((one) => one[i]!.length)));
      const folded = foldTable(rows, { widths, columns });
      assert.deepEqual(folded.join("\n").split(/\s+/).filter(Boolean), rows.flat());
    }),
  );
});
