/** Command lines, with flan's conventions: errors are one sentence and exit 2, help is on stdout, suggestions are given. */
import { invalid } from "../net/errors.ts";
import { quoted } from "../net/text.ts";
import { Argument, type Arguments, Command, type Flags, type KnownValues, Option } from "./cli/command.ts";
import { helpText, outputWidth } from "./cli/help.ts";
import { parseLine } from "./cli/parse.ts";
import { writeOut } from "./stdout.ts";

export { Argument, type Arguments, Command, type Flags, type KnownValues, Option };

/** A command as help, completions and `main.ts` see it before its module is loaded. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<{ command(run: Runner, table: readonly CommandEntry[]): Command }>;
}

/** Takes the exit code of the command that ran. */
export type Runner = (code: Promise<number>) => Promise<void>;

/**
 * Runs the command that `words` ask for, or prints its help or the version. Throws `invalid` where they cannot be
 * understood, and whatever the command throws.
 */
export async function runLine(
  program: Command,
  { words, version }: { words: readonly string[]; version: string },
): Promise<void> {
  const parsed = parseLine(program, words);
  if (parsed.asks === "version") writeOut(`${version}\n`);
  else if (parsed.asks === "help") writeOut(helpText(parsed.path, outputWidth()));
  else await parsed.command.action?.(parsed.flags, parsed.args);
}

/**
 * A command that groups others. Without a name of one, the first of them runs: `flan routes -o json` is `flan
 * routes list -o json`. A word that names none is refused, because the first would take it for an argument.
 */
export function newGroup(
  { name, summary }: { name: string; summary: string },
  children: readonly Command[],
): Command {
  const group = new Command(name, summary)
    .addAfter(`Without a command it is ${name} ${children[0]!.name}; every command has its own --help.`);
  for (const child of children) group.addCommand(child);
  group.runsFirst = true;
  return group;
}

/** `deno task demo -- --hosts 2` hands the `--` on, which stands for nothing there. */
export function withoutSeparator(args: readonly string[]): string[] {
  return args[0] === "demo" ? args.filter((arg) => arg !== "--") : [...args];
}

/** A flag's value as a whole number within a range. Throws `invalid` with flag and value. */
export function integerFlag(flag: string, text: string, range: { min: number; max: number }): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (!(value >= range.min && value <= range.max)) {
    throw invalid(
      "cli",
      `Cannot use ${flag} ${quoted(text)}: a whole number from ${range.min} to ${range.max} is needed`,
    );
  }
  return value;
}
