/** `flan completions`: a script for the shell, generated from the command table. */
import { invalid } from "../net/errors.ts";
import { didYouMean } from "../net/suggest.ts";
import { quoted } from "../net/text.ts";
import { type AnyCommand, type CommandEntry, newCommand, type Runner } from "./cli.ts";
import { type CompletionNode, completionScript, shells } from "./completion_scripts.ts";
import { exit } from "./exit.ts";
import { print } from "./output.ts";
import { fewValues, kebab, settingKeys } from "./settings.ts";

export function command(run: Runner, table: readonly CommandEntry[]): AnyCommand {
  // Takes no settings: a shell that starts must get its completions even where a setting is wrong.
  return newCommand("completions", "Completions for bash, zsh or fish")
    .argument("<shell>", shells.join(", "))
    .addHelpText("after", "\nExample:\n  source <(flan completions bash)")
    .action((shell) => run(printScript(shell, table)));
}

async function printScript(shell: string, table: readonly CommandEntry[]): Promise<number> {
  const known = shells.find((name) => name === shell);
  if (known === undefined) {
    throw invalid(
      "completions",
      `Cannot complete for shell ${quoted(shell)}: one of ${shells.join(", ")} is needed`,
      didYouMean(shell, shells),
    );
  }
  const nodes = await Promise.all(
    table.map(async ({ load }) => describe((await load()).command(async () => {}, table))),
  );
  print(completionScript(known, nodes));
  return exit.done;
}

/** By flag. */
const valuesOf: ReadonlyMap<string, readonly string[]> = new Map(
  settingKeys.map((key) => [`--${kebab(key)}`, fewValues[key] ?? []]),
);

/** A group takes the flags of its first command, which is what it does where no other is named. */
function describe(command: AnyCommand): CompletionNode {
  const children = command.commands.map((child) => describe(child as AnyCommand));
  return {
    name: command.name(),
    summary: command.summary(),
    flags: children[0]?.flags ?? [
      ...command.options.map((option) => ({
        name: option.long ?? option.short ?? "",
        summary: option.description,
        takesValue: option.required,
        values: valuesOf.get(option.long ?? "") ?? [],
      })),
      { name: "--help", summary: "show help", takesValue: false, values: [] },
    ],
    children,
  };
}
