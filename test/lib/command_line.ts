/** Command lines of flan, as documents show them: whether the commands and flags in them exist. Nothing is run. */
import type { CommandNode } from "../../cmd/command_tree.ts";
import { spellings } from "../../cmd/command_tree.ts";

/** The simple commands of a shell script, each as its words: of pipes, lists and `$(…)`, without comments. */
export function simpleCommands(script: string): string[][] {
  const lines = script.replaceAll(/\\\n\s*/g, " ").replaceAll(/(^|\s)#.*$/gm, "");
  return lines.split(/\$\(|[|;&)\n]+/).map((one) =>
    one.trim().replace(/^(?:[A-Z_]+=\S*\s+)+/, "").split(/\s+/).filter(Boolean)
  ).filter((words) => words.length > 0);
}

/** What is wrong with the words after `flan`, undefined where nothing is. A word in capitals stands for any. */
export function whyUnknown(words: readonly string[], commands: readonly CommandNode[]): string | undefined {
  if (["--help", "--version", "help", ...placeholders].includes(words[0] ?? "--help")) return undefined;
  const command = commands.find(({ name }) => name === words[0]);
  if (command === undefined) return `no command ${words[0]}`;
  const child = command.children.find(({ name }) => name === words[1]);
  const rest = words.slice(child === undefined ? 1 : 2);
  return whyRefused(rest, child ?? command);
}

const placeholders: readonly string[] = ["COMMAND"];

function whyRefused(words: readonly string[], { name, args, flags }: CommandNode): string | undefined {
  const plain: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const [word, value] = words[i]!.split(/=(.*)/s) as [string, string?];
    if (!word.startsWith("-") || word === "-") {
      plain.push(word);
      continue;
    }
    const flag = flags.find((one) => spellings(one).includes(word));
    if (flag === undefined) return `${name} has no flag ${word}`;
    if (flag.argument === "") {
      if (value !== undefined) return `${word} of ${name} takes no value`;
    } else if (value === undefined && words[++i] === undefined) return `${word} of ${name} needs a value`;
  }
  return plain.length > args.length ? `${name} takes no argument ${plain[args.length]}` : undefined;
}
