/** `flan man`: the manual page, generated from the command table. */
import { Command, type CommandEntry, type Runner } from "./cli.ts";
import { commandTree } from "./command_tree.ts";
import { exit } from "./exit.ts";
import { manualPage } from "./man/page.ts";
import { print } from "./output.ts";
import { released, summary } from "./version.ts";

export function command(run: Runner, table: readonly CommandEntry[]): Command {
  // Takes no settings: it must work where one is wrong.
  return new Command("man", "The manual page flan(8)")
    .addAfter("Example:\n  flan man | man -l -")
    .does(() => run(printPage(table)));
}

async function printPage(table: readonly CommandEntry[]): Promise<number> {
  print(manualPage(await commandTree(table), { summary, released }).trimEnd());
  return exit.done;
}
