/**
 * What stdout gets. A command makes one plain document; this file prints it for people (table, wide) or for
 * programs (json, jsonl, tsv, env, value=FIELD). Nothing but the answer is ever written to stdout.
 */
import { invalid } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import { didYouMean } from "../net/suggest.ts";
import { printable, quoted } from "../net/text.ts";
import { type Command, Option } from "./cli.ts";
import { foldLine, foldLines, foldTable } from "./fold.ts";
import { writeOut } from "./stdout.ts";

export type Format =
  | {
    readonly kind:
      | "table"
      | "wide"
      | "json"
      | "jsonl"
      | "tsv"
      | "env"
      | "commands"
      | "dot"
      | "mermaid"
      | "svg";
  }
  | { readonly kind: "value"; readonly field: string };

export type FormatName = Format["kind"];

/** A cell without a value. */
const NONE = "-";
/** The column that says why, the last of its table. */
const NOTE = "NOTE";

/** Gives `command` the flags `-o` and `--json`; `kinds` are the formats it can print, the first by default. */
export function addOutput(command: Command, kinds: readonly FormatName[]): Command {
  const names = kinds.map((kind) => kind === "value" ? "value=FIELD" : kind).join(", ");
  const output = new Option("-o, --output <format>", `how to print: ${names} (default ${kinds[0]})`);
  const document = documentOf(kinds);
  command
    .addOption(output.offering(kinds.map((kind) => kind === "value" ? "value=" : kind)))
    .addOption(new Option("--json", `the same as -o ${document}`));
  if (!kinds.includes("tsv")) return command;
  return command.addOption(new Option("--header", "with -o tsv: print a line of column names first"));
}

/** What `--json` stands for: of what never ends there is no document, only one on each line. */
function documentOf(kinds: readonly FormatName[]): FormatName {
  return kinds.includes("json") ? "json" : "jsonl";
}

/** The format that the flags ask for. Throws `invalid` for one that the command cannot print. */
export function outputFormat(flags: Readonly<Record<string, unknown>>, kinds: readonly FormatName[]): Format {
  const wanted = flags["json"] === true ? documentOf(kinds) : String(flags["output"] ?? kinds[0]);
  const [kind, field] = splitOnce(wanted, "=");
  if (!kinds.includes(kind as FormatName) || (kind === "value") !== (field !== undefined)) {
    const names = kinds.map((known) => known === "value" ? "value=FIELD" : known);
    throw invalid(
      "cli",
      `Cannot print format ${quoted(wanted)}: one of ${names.join(", ")} is needed`,
      kinds.includes(kind as FormatName) ? undefined : didYouMean(kind, kinds),
    );
  }
  return kind === "value" ? { kind, field: field! } : { kind: kind as Exclude<FormatName, "value"> };
}

/**
 * Writes all of `text` and a newline to stdout. Everything that a terminal would obey, but line ends and tabs,
 * is written out as `\u001b`: in JSON, where it can only stand in a string, that is the same string. Throws as
 * {@link writeOut} does.
 */
export function print(text: string): void {
  const safe = text.replace(/[^\n\t]+/g, (part) => printable(part, Infinity));
  writeOut(`${safe}\n`);
}

/** Prints sentences for people, folded where their terminal is narrow. Commands must stay on one line: for {@link print}. */
export function printFolded(text: string): void {
  print(folded(text));
}

/** The text as this terminal has room for it. */
export function folded(text: string): string {
  return foldLines(text, terminalColumns());
}

/** Prints a document whose schema grows only: `{"schema": "flan.<name>/v1", …}`. */
export function printJson(name: string, fields: Readonly<Record<string, Json | undefined>>): void {
  print(JSON.stringify({ schema: `flan.${name}/v1`, ...fields }, null, 2));
}

/** A line for a person before the table. In what a program reads it has no place but JSON's fields: it goes to stderr. */
export function sayBefore(format: Format, line: string): void {
  if (format.kind === "table") print(line);
  else if (format.kind !== "json") console.error(`flan: ${line}`);
}

export interface Column<T> {
  readonly name: string;
  readonly cell: (item: T) => string | number | undefined;
  /** Only in `-o wide`. */
  readonly wide?: boolean;
}

export interface Listing<T> {
  /** Name of the schema: `leases`, `routes`. */
  readonly schema: string;
  readonly items: readonly T[];
  readonly columns: readonly Column<T>[];
  /** Item as JSON; also where `-o value=FIELD` finds its field. */
  readonly json: (item: T) => Readonly<Record<string, Json | undefined>>;
  /** Columns of TSV, in an order that never changes; new ones go to the end. */
  readonly tsv: readonly Column<T>[];
  /** What a person reads where there are no items. */
  readonly empty: string;
  /** More fields of the JSON document. */
  readonly extra?: Readonly<Record<string, Json | undefined>>;
}

/** Prints a list in any of its formats. */
export function printList<T>(format: Format, listing: Listing<T>, header = false): void {
  const { items } = listing;
  switch (format.kind) {
    case "json":
      return printJson(listing.schema, {
        ...listing.extra,
        items: items.map(listing.json) as unknown as Json,
      });
    case "jsonl":
      return items.forEach((item) => print(JSON.stringify(listing.json(item))));
    case "tsv":
      return printTsv(listing, header);
    case "value":
      return items.forEach((item) => print(valueOf(listing.json(item), format.field)));
    default: {
      if (items.length === 0) return console.error(listing.empty);
      const columns = listing.columns.filter((column) => format.kind === "wide" || !column.wide);
      print(
        table(
          columns.map((column) => column.name),
          items.map((item) => columns.map((column) => cellText(column, item))),
        ),
      );
    }
  }
}

/** One field for a script. Throws `invalid` where the document has no such field. */
export function valueOf(document: Readonly<Record<string, Json | undefined>>, field: string): string {
  if (!Object.hasOwn(document, field)) {
    const known = Object.keys(document);
    throw invalid(
      "cli",
      `Cannot print field ${quoted(field)}: the fields are ${known.join(", ")}`,
      didYouMean(field, known),
    );
  }
  const value = document[field];
  if (value === undefined || value === null) return "-";
  return typeof value === "object" ? JSON.stringify(value) : printable(String(value), 4096);
}

/** How wide the terminal is; 0 for a pipe. */
export function terminalColumns(): number {
  return Deno.stdout.isTerminal() ? Deno.consoleSize().columns : 0;
}

/**
 * Rows under a line of names, columns as wide as their content, two spaces between. Plain ASCII. What a terminal of so many
 * columns has no room for goes below its row, whole: a last column `NOTE` alone where that is enough, since it says why.
 */
export function table(
  names: readonly string[],
  rows: readonly (readonly string[])[],
  columns = terminalColumns(),
): string {
  const widthsUpTo = (limit: number) =>
    names.map((name, i) =>
      rows.reduce(
        (most, { [i]: cell = "" }) => cell.length > limit ? most : Math.max(most, cell.length),
        name.length,
      )
    );
  const widths = widthsUpTo(Infinity);
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => cell.padEnd(widths[i]!)).join("  ").trimEnd();
  const isTight = columns > 0 && [names, ...rows].some((row) => line(row).length > columns);
  if (!isTight) return [names, ...rows].map(line).join("\n");
  // One long cell must not take its whole column below.
  const narrow = { widths: widthsUpTo(columns / 2), columns };
  if (names.at(-1) !== NOTE) return foldTable([names, ...rows], narrow).join("\n");
  const fold = (row: readonly string[]) =>
    foldTable([row.slice(0, -1)], { ...narrow, widths: narrow.widths.slice(0, -1) });
  const below = (row: readonly string[]) =>
    row.at(-1) === NONE ? [] : [foldLine(`    ${row.at(-1)}`, columns)];
  return [...fold(names), ...rows.flatMap((row) => [...fold(row), ...below(row)])].join("\n");
}

function printTsv<T>({ items, tsv }: Listing<T>, header: boolean): void {
  if (header) print(tsv.map((column) => column.name.toLowerCase()).join("\t"));
  for (const item of items) print(tsv.map((column) => cellText(column, item)).join("\t"));
}

function cellText<T>(column: Column<T>, item: T): string {
  const value = column.cell(item);
  return value === undefined || value === "" ? NONE : printable(String(value), 4096);
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
