/** A command that does something (and not only groups others): its flags, and what it gets when it runs. */
import { Argument, type Arguments, Command, type Flags, type Option, type Runner } from "./cli.ts";
import { addSettings, type Follows } from "./config.ts";
import { type Context, openContext } from "./context.ts";
import { addOutput, type Format, type FormatName, outputFormat } from "./output.ts";
import { type SettingKey, storeSettings } from "./settings.ts";

export interface Leaf {
  readonly name: string;
  readonly summary: string;
  /** Name as help writes it (`<key>`, `[subnet]`), and what it is. */
  readonly args?: readonly (readonly [name: string, help: string])[];
  readonly options?: readonly Option[];
  /** The settings it takes beside those of every command; all settings unless given. */
  readonly settings?: readonly SettingKey[];
  /** What `-o` accepts, the default first; none for a command that prints no document. */
  readonly formats?: readonly FormatName[];
  /** What of the settings that the host has joined with it follows; all unless given. */
  readonly follows?: Follows;
  /** Whether it is about this host and its network; otherwise it takes none of the settings that say which. */
  readonly anywhere?: boolean;
  /**
   * Whether it runs until it is stopped. It then loads first what it would otherwise load when it logs: an upgrade may
   * take that away meanwhile.
   */
  readonly stays?: boolean;
  /** Text after the help: examples and exit codes. */
  readonly after?: string;
  /** What is told where there are more arguments than it takes. */
  readonly excessHint?: string;
  /** What is told where it is given an option of another command's, by the option's long name. */
  readonly elsewhere?: Readonly<Record<string, string>>;
}

export interface Call {
  readonly context: Context;
  readonly format: Format;
  /** Whether TSV gets a line of names. */
  readonly header: boolean;
  readonly flags: Flags;
  readonly args: Arguments;
}

/** Settings that every command takes: which host and network is meant, and how a person is spoken to. */
export const commonSettings: readonly SettingKey[] = [
  ...storeSettings,
  "stateDir",
  "runDir",
  "logFormat",
  "quiet",
  "verbose",
];

/** One of a group, and what it does: that loads what it needs itself, for all of a group are known before one runs. */
export type Subcommand = readonly [Leaf, (call: Call) => Promise<number>];

export function leaf(spec: Leaf, run: Runner, work: (call: Call) => Promise<number>): Command {
  const command = new Command(spec.name, spec.summary);
  for (const [name, help] of spec.args ?? []) command.addArgument(new Argument(name, help));
  for (const option of spec.options ?? []) command.addOption(option);
  addSettings(command, spec.settings && [...spec.settings, ...(spec.anywhere ? [] : commonSettings)]);
  const formats = spec.formats ?? ["table"];
  if (spec.formats !== undefined) addOutput(command, formats);
  if (spec.after !== undefined) command.addAfter(spec.after);
  if (spec.excessHint !== undefined) command.excessHint = spec.excessHint;
  if (spec.elsewhere !== undefined) command.elsewhere = spec.elsewhere;
  const start = async (flags: Flags, args: Arguments) => {
    const format = outputFormat(flags, formats);
    const context = await openContext(flags, { follows: spec.follows ?? "all" });
    try {
      if (spec.stays) await context.log.open();
      return await work({ context, format, header: flags["header"] === true, flags, args });
    } finally {
      await context.log.written();
    }
  };
  return command.does((flags, args) => run(start(flags, args)));
}
