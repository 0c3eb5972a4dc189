/**
 * Command-line parsing. The only file that imports commander; commands get their `Command` from here, with
 * flan's conventions built in: errors are one sentence and exit 2, help is on stdout, suggestions are given.
 */
import { Argument, Command, Option } from "commander";
import { CommanderError } from "commander-core";
import { FlanError, invalid } from "../net/errors.ts";
import { didYouMean } from "../net/suggest.ts";
import { quoted } from "../net/text.ts";
import { writeOut } from "./stdout.ts";

export { Argument, Command, CommanderError, Option };

/** A command as help, completions and `main.ts` see it before its module is loaded. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<{ command(run: Runner, table: readonly CommandEntry[]): AnyCommand }>;
}

// deno-lint-ignore no-explicit-any -- the inferred option types differ for every command
export type AnyCommand = Command<any, any, any>;

/** Flags as commander parsed them, by camel-case name. */
export type Flags = Readonly<Record<string, unknown>>;

/** Arguments in order; those left out are undefined. */
export type Arguments = readonly (string | undefined)[];

/** Takes the exit code of the command that ran. */
export type Runner = (code: Promise<number>) => Promise<void>;

/** A command with the manners that all commands share. */
export function newCommand<N extends string>(name: N, summary: string): Command {
  const command = new Command(name).summary(summary).description(summary);
  command.exitOverride().configureOutput({ writeOut, writeErr: () => {} }).showSuggestionAfterError(true);
  // Less than commander's own 40: the flags take 32 columns, and a terminal of 60 must have its help, too.
  command.configureHelp({ minWidthToWrap: 20 });
  command.helpCommand(false).allowExcessArguments(false);
  return command;
}

/**
 * A command that groups others. Without a name of one, the first of them runs: `flan routes -o json` is `flan
 * routes list -o json`. A word that names none is refused here, because the first would take it for an argument.
 */
export function newGroup(
  { name, summary }: { name: string; summary: string },
  children: readonly AnyCommand[],
): AnyCommand {
  const names = children.map((child) => child.name());
  const group: AnyCommand = newCommand(name, summary);
  children.forEach((child, i) => group.addCommand(child, { isDefault: i === 0 }));
  group.addHelpText(
    "after",
    `\nWithout a command it is ${name} ${names[0]}; every command has its own --help.`,
  );
  return group.hook("preSubcommand", () => {
    const [word = "-"] = group.args as readonly string[];
    if (word.startsWith("-") || names.includes(word)) return;
    throw new FlanError(`Unknown command ${quoted(word)} of flan ${name}`, {
      op: "cli",
      code: "invalid",
      hint: didYouMean(word, names) ?? `one of ${names.join(", ")}`,
    });
  });
}

/** What completions offer for a flag or an argument: all that it takes where these are few, or this host's links. */
export type KnownValues = readonly string[] | "links";

const known = new WeakMap<object, KnownValues>();

/** The flag or argument, with the values that it takes; words that need no quoting. Parsing does not look at them. */
export function withValues<T extends object>(of: T, values: KnownValues): T {
  known.set(of, values);
  return of;
}

/** What {@link withValues} was told, or none. */
export function knownValues(of: object): KnownValues {
  return known.get(of) ?? [];
}

/** What a command's help says after its flags. */
export function afterHelp(command: AnyCommand): string {
  let text = "";
  // Commander keeps these texts as listeners, and its types do not show that a command is an EventEmitter.
  const emitter = command as unknown as { emit(event: string, context: object): void };
  emitter.emit("afterHelp", { error: false, command, write: (part: string) => text += part });
  return text.trim();
}

/** Says what helps whoever gave the command more arguments than it takes. */
export function hintAtExcess(command: AnyCommand, hint: string): AnyCommand {
  return command.exitOverride((error) => {
    const shown = error.code === "commander.excessArguments" ? usageError(error) : undefined;
    throw shown === undefined ? error : invalid("cli", shown.message, hint);
  });
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

/**
 * What commander threw, as flan's error: undefined for help and version, which are no errors. Commander's
 * text ("error: unknown option '--bakend'\n(Did you mean --backend?)") becomes a sentence and a hint.
 */
export function usageError(error: CommanderError): FlanError | undefined {
  if (error.exitCode === 0) return undefined;
  const [first = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  const sentence = (first.charAt(0).toUpperCase() + first.slice(1))
    .replace(
      /^(Too many arguments) for '(.*?)'\. Expected (\d+) arguments? but got (\d+): (.*)\.$/,
      "$1 for $2: it takes $3, and got $4: $5",
    )
    .replace(/^(Option '.*?') argument missing$/, "$1 needs a value");
  const hint = rest.join(" ").replace(/^\((.*)\)$/, "$1").trim();
  return new FlanError(sentence, { op: "cli", code: "invalid", hint: hint || undefined });
}
