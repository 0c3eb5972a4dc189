/** The completion script for zsh. Pure text. */
import type { KnownValues } from "../cli.ts";
import { type CommandNode, type Place, placesOf, valuedFlags } from "../command_tree.ts";
import { placePattern, valueCases } from "./cases.ts";

/** zsh shows what each word is. Where nothing is known it completes files. */
export function zshScript(commands: readonly CommandNode[]): string {
  const places = placesOf(commands);
  return [
    "#compdef flan",
    "_flan() {",
    "  local -a entries flags",
    '  local flag="" first="" second="" word',
    "  for word in ${words[2,CURRENT-1]}; do",
    '    if [[ -n $flag ]]; then flag=""; continue; fi',
    '    case "$word" in',
    `      ${valuedFlags(commands).join("|")}) flag="$word" ;;`,
    "      -*) ;;",
    "      *) if [[ -z $first ]]; then first=$word; elif [[ -z $second ]]; then second=$word; fi ;;",
    "    esac",
    "  done",
    "  if [[ -z $flag && $words[CURRENT] == --*=* ]]; then",
    '    flag="${words[CURRENT]%%=*}"',
    "    compset -P '*='",
    "  fi",
    '  if [[ -n $flag ]]; then case "$first $second $flag" in',
    ...places.flatMap((place) => valueCases(place, (values) => `entries=(${valueEntries(values)})`)),
    '  esac else case "$first $second" in',
    ...places.map((place) => `    ${placePattern(place)}) ${entriesAt(place)} ;;`),
    // Flags are asked for with a dash, or are all there is.
    "  esac; if [[ $words[CURRENT] == -* || $#entries = 0 ]]; then entries=($flags); fi; fi",
    "  _describe flan entries || _files",
    "}",
    'if [ "$funcstack[1]" = _flan ]; then _flan "$@"; else compdef _flan flan; fi',
  ].join("\n");
}

function entriesAt({ commands, args, flags }: Place): string {
  const entries = [...commands.map(described), ...args.map(({ values }) => valueEntries(values))];
  return `entries=(${entries.join(" ").trim()}) flags=(${flags.map(described).join(" ")})`;
}

function described({ name, summary }: { readonly name: string; readonly summary: string }): string {
  return quote(`${name.replaceAll(":", "\\:")}:${summary}`);
}

function valueEntries(values: KnownValues): string {
  return values === "links" ? "/sys/class/net/*(N:t)" : values.join(" ");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
