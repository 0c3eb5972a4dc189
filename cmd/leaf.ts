/** A command that does something (and not only groups others): its flags, and what it gets when it runs. */
import { type AnyCommand, type Arguments, type Flags, newCommand, type Option, type Runner } from "./cli.ts";
import { addSettings, type Follows } from "./config.ts";
import { type Context, openContext } from "./context.ts";
import { addOutput, type Format, type FormatName, outputFormat } from "./output.ts";
import { type SettingKey, storeSettings } from "./settings.ts";

export interface Leaf {
  readonly name: string;
  readonly summary: string;
  /** Name as commander writes it (`<key>`, `[subnet]`), and what it is. */
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
  /** Text after the help: examples and exit codes. */
  readonly after?: string;
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

export function leaf(spec: Leaf, run: Runner, work: (call: Call) => Promise<number>): AnyCommand {
  const command: AnyCommand = newCommand(spec.name, spec.summary);
  for (const [name, help] of spec.args ?? []) command.argument(name, help);
  for (const option of spec.options ?? []) command.addOption(option);
  addSettings(command, spec.settings && [...spec.settings, ...(spec.anywhere ? [] : commonSettings)]);
  const formats = spec.formats ?? ["table"];
  if (spec.formats !== undefined) addOutput(command, formats);
  if (spec.after !== undefined) command.addHelpText("after", `\n${spec.after}`);
  const start = async () => {
    const flags = command.opts() as Flags;
    const format = outputFormat(flags, formats);
    const args = command.processedArgs as unknown as Arguments;
    const context = await openContext(flags, { follows: spec.follows ?? "all" });
    try {
      return await work({ context, format, header: flags["header"] === true, flags, args });
    } finally {
      await context.log.written();
    }
  };
  return command.action(() => run(start()));
}
