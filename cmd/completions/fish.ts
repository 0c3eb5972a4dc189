/** The completion script for fish. Pure text. */
import type { KnownValues } from "../cli.ts";
import { type CommandNode, type FlagNode, type Place, placesOf, valuedFlags } from "../command_tree.ts";

/**
 * One line for each word that may come, with the place where it may. fish's own test for a subcommand takes any
 * word of the line for one, and `routes` is a command and one of `flan proxy`.
 */
export function fishScript(commands: readonly CommandNode[]): string {
  return [
    "function __flan_at -d 'Whether the line is at this command'",
    "  set -l plain",
    "  set -l skip 0",
    "  for word in (commandline -opc)[2..-1]",
    "    if test $skip = 1",
    "      set skip 0",
    "      continue",
    "    end",
    '    switch "$word"',
    `      case ${valuedFlags(commands).join(" ")}`,
    "        set skip 1",
    "      case '-*'",
    "      case '*'",
    '        set -a plain "$word"',
    "    end",
    "  end",
    '  test "$plain[1]" = "$argv[1]"; or return 1',
    '  test (count $argv) = 1; or test "$plain[2]" = "$argv[2]"',
    "end",
    ...placesOf(commands).flatMap(linesAt),
  ].join("\n");
}

function linesAt(place: Place): string[] {
  const { first, second, commands, args, flags } = place;
  const words = [first, ...(second === undefined ? [] : [second])].map((word) => `"${word}"`);
  const start = `complete -c flan -n ${quote(`__flan_at ${words.join(" ")}`)}`;
  const values = args.flatMap(({ values }) => values.length === 0 ? [] : [valueWords(values)]);
  return [
    ...commands.map(({ name, summary }) => `${start} -f -a ${name} -d ${quote(summary)}`),
    ...values.map((words) => `${start} -f -a ${quote(words)}`),
    ...flags.map((flag) => `${start} ${flagWords(flag)}`),
  ];
}

function flagWords({ name, short, summary, argument, values }: FlagNode): string {
  return [
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
    `-l ${name.slice(2)}`,
    `-d ${quote(summary)}`,
    ...(argument === "" ? [] : ["-r"]),
    ...(values.length === 0 ? [] : [`-f -a ${quote(valueWords(values))}`]),
  ].join(" ");
}

function valueWords(values: KnownValues): string {
  return values === "links" ? "(ls /sys/class/net)" : values.join(" ");
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
