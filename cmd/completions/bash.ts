/** The completion script for bash. Pure text. */
import type { KnownValues } from "../cli.ts";
import { type CommandNode, type Place, placesOf, valuedFlags } from "../command_tree.ts";
import { placePattern, valueCases } from "./cases.ts";

/**
 * bash knows words only. Of `--flag=value` it makes three, so that a `=` says that what comes next is a value.
 * Where nothing is known it completes files.
 */
export function bashScript(commands: readonly CommandNode[]): string {
  const places = placesOf(commands);
  return [
    "_flan() {",
    '  local words="" current="${COMP_WORDS[COMP_CWORD]}" flag="" first="" second="" flags="" word i',
    "  for ((i = 1; i < COMP_CWORD; i++)); do",
    '    word="${COMP_WORDS[i]}"',
    '    if [[ $word == "=" ]]; then flag="${flag:-=}"; continue; fi',
    '    if [[ -n $flag ]]; then flag=""; continue; fi',
    '    case "$word" in',
    `      ${valuedFlags(commands).join("|")}) flag="$word" ;;`,
    "      -*) ;;",
    "      *) if [[ -z $first ]]; then first=$word; elif [[ -z $second ]]; then second=$word; fi ;;",
    "    esac",
    "  done",
    '  if [[ $current == "=" ]]; then current="" flag="${flag:-=}"; fi',
    '  if [[ -n $flag ]]; then case "$first $second $flag" in',
    ...places.flatMap((place) => valueCases(place, (values) => `words="${valueWords(values)}"`)),
    '  esac else case "$first $second" in',
    ...places.map((place) => `    ${placePattern(place)}) ${wordsAt(place)} ;;`),
    // Flags are asked for with a dash, or are all there is.
    '  esac; if [[ $current == -* || -z $words ]]; then words="$flags"; fi; fi',
    '  COMPREPLY=($(compgen -W "$words" -- "$current"))',
    // After value= comes a field.
    "  if [[ ${COMPREPLY[*]} == *= ]]; then compopt -o nospace; fi",
    "}",
    "complete -o default -F _flan flan",
  ].join("\n");
}

function wordsAt({ commands, args, flags }: Place): string {
  const words = [...commands.map(({ name }) => name), ...args.map(({ values }) => valueWords(values))];
  return `words="${words.join(" ").trim()}" flags="${flags.map(({ name }) => name).join(" ")}"`;
}

function valueWords(values: KnownValues): string {
  return values === "links" ? "$(ls /sys/class/net)" : values.join(" ");
}
