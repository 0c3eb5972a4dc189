/** What `--help` says. */
import type { Command } from "./command.ts";

/** A name, and what it is. */
type Item = readonly [term: string, summary: string];

const INDENT = 2;
/** Between the terms and the column of what they are. */
const GAP = 2;
/** A column that would be narrower than this many characters is left to the terminal. */
const MIN_COLUMN = 20;
/** Of who reads it by something else than a terminal. */
const WIDTH = 80;

export const helpFlags = "-h, --help";
export const versionFlags = "-V, --version";

/**
 * The help of the last command of `path`, which begins with the program. `width` is how many characters fit on a
 * line.
 */
export function helpText(path: readonly Command[], width: number): string {
  const command = path.at(-1)!;
  const sections: [string, Item[]][] = [
    ["Arguments:", command.args.map(({ name, summary }) => [name, summary])],
    ["Options:", flagItems(path)],
    ["Commands:", command.children.map((child) => [usage(child), child.summary])],
  ];
  const column = Math.max(...sections.flatMap(([, items]) => items.map(([term]) => term.length)));
  const parts = [
    `Usage: ${path.map(({ name }) => name).join(" ")} ${usage(command, { isOwn: true })}`,
    wrapped(command.summary, width).join("\n"),
    ...sections.filter(([, items]) => items.length > 0)
      .map(([title, items]) => [title, ...items.map((item) => line(item, { column, width }))].join("\n")),
  ];
  return `${[...parts, ...command.after === "" ? [] : [command.after]].join("\n\n")}\n`;
}

/** How many characters a line of standard output has. */
export function outputWidth(): number {
  return Deno.stdout.isTerminal() ? Deno.consoleSize().columns : WIDTH;
}

function flagItems(path: readonly Command[]): Item[] {
  const command = path.at(-1)!;
  return [
    ...path.length === 1 ? [[versionFlags, "output the version number"] as const] : [],
    ...command.options.filter(({ isHidden }) => !isHidden).map((
      { flags, summary },
    ): Item => [flags, summary]),
    [helpFlags, "display help for command"],
  ];
}

/** What can be written after the command; in the list of another one's children also its name, and no `--help`. */
function usage(command: Command, { isOwn = false } = {}): string {
  return [
    ...isOwn ? [] : [command.name],
    ...isOwn || command.options.length > 0 ? ["[options]"] : [],
    ...isOwn && command.children.length > 0 ? ["[command]"] : [],
    ...command.args.map(({ shown }) => shown),
  ].join(" ");
}

function line([term, summary]: Item, { column, width }: { column: number; width: number }): string {
  const indent = " ".repeat(INDENT + column + GAP);
  return `${" ".repeat(INDENT)}${term.padEnd(column + GAP)}${
    wrapped(summary, width - indent.length).join(`\n${indent}`)
  }`;
}

/** The text in lines of at most `width` characters, but for words that are longer. */
function wrapped(text: string, width: number): string[] {
  if (width < MIN_COLUMN) return [text];
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}
