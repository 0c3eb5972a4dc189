/** Words are taken for what node:util's parseArgs takes them for: that is how programs understand them. */
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import fc from "fast-check";
import { Option } from "../../../cmd/cli/command.ts";
import { type Token, tokensOf } from "../../../cmd/cli/tokens.ts";

const options = [
  new Option("-o, --output <format>", "x"),
  new Option("-q, --quiet", "x"),
  new Option("--store <url>", "x"),
  new Option("--once", "x"),
];

const known = {
  output: { type: "string", short: "o" },
  quiet: { type: "boolean", short: "q" },
  store: { type: "string" },
  once: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

function nodes(words: readonly string[]) {
  const { tokens } = parseArgs({ args: [...words], options: known, strict: false, tokens: true });
  return tokens.flatMap((one): Token[] => {
    if (one.kind === "option-terminator") return [];
    if (one.kind === "positional") return [{ kind: "argument", value: one.value }];
    const { index, name, value, inlineValue = false } = one;
    return [{ kind: "flag", index, name, value, inlineValue }];
  });
}

const word = fc.oneof(
  fc.constantFrom(
    "--",
    "-",
    "",
    "-o",
    "-q",
    "-h",
    "-x",
    "-1",
    "--store",
    "--once",
    "--help",
    "--no",
    "a",
    "=",
  ),
  fc.constantFrom(
    "-ojson",
    "-qo",
    "-qojson",
    "-oq",
    "-qh",
    "-xq",
    "-xo",
    "-qx=",
    "-o=a",
    "--store=",
    "--once=1",
  ),
  fc.string({ maxLength: 4 }).filter((text) => !text.startsWith("--=")),
);

Deno.test("tokens: any words are the same flags, values and arguments as parseArgs finds", () => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (words) => {
      assert.deepEqual(tokensOf(words, options), nodes(words));
    }),
    { numRuns: 3000 },
  );
});
