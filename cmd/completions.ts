/** `flan completions`: a script for the shell, generated from the command table. */
import { invalid } from "../net/errors.ts";
import { didYouMean } from "../net/suggest.ts";
import { quoted } from "../net/text.ts";
import { Argument, Command, type CommandEntry, type Runner } from "./cli.ts";
import { commandTree } from "./command_tree.ts";
import { bashScript } from "./completions/bash.ts";
import { fishScript } from "./completions/fish.ts";
import { zshScript } from "./completions/zsh.ts";
import { exit } from "./exit.ts";
import { print } from "./output.ts";

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;
const shells = Object.keys(scripts) as (keyof typeof scripts)[];

export function command(run: Runner, table: readonly CommandEntry[]): Command {
  // Takes no settings: a shell that starts must get its completions even where a setting is wrong.
  return new Command("completions", "Completions for bash, zsh or fish")
    .addArgument(new Argument("<shell>", shells.join(", "), shells))
    .addAfter("Example:\n  source <(flan completions bash)")
    .does((_, [shell = ""]) => run(printScript(shell, table)));
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
  print(scripts[known](await commandTree(table)));
  return exit.done;
}
