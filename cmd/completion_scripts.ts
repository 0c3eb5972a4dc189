/** Completion scripts for three shells from one description of the commands. Pure text. */

export const shells = ["bash", "zsh", "fish"] as const;

export interface CompletionNode {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly {
    readonly name: string;
    readonly summary: string;
    readonly takesValue: boolean;
    /** All that it takes, where these are but a few; they need no quoting. */
    readonly values: readonly string[];
  }[];
  readonly children: readonly CompletionNode[];
}

/** The script that `source` or the shell's completion folder takes. */
export function completionScript(
  shell: (typeof shells)[number],
  commands: readonly CompletionNode[],
): string {
  return { bash, zsh, fish }[shell](commands);
}

/** bash knows words only: after `flan`, a command; after a command, its subcommands and flags; after some flags, values. */
function bash(commands: readonly CompletionNode[]): string {
  const cases = commands.flatMap((command) => [
    ...command.children.map((child) => `    "${command.name} ${child.name}") words="${flagNames(child)}" ;;`),
    `    "${command.name} "*) words="${
      [...command.children.map((child) => child.name), ...flagNames(command).split(" ")].join(" ")
    }" ;;`,
  ]);
  return [
    "_flan() {",
    '  local words="" current="${COMP_WORDS[COMP_CWORD]}" first="" second="" word i',
    "  for ((i = 1; i < COMP_CWORD; i++)); do",
    '    word="${COMP_WORDS[i]}"',
    "    [[ $word == -* ]] && continue",
    "    if [[ -z $first ]]; then first=$word; elif [[ -z $second ]]; then second=$word; fi",
    "  done",
    '  case "$first $second" in',
    `    " ") words="${commands.map((command) => command.name).join(" ")} --help --version" ;;`,
    ...cases,
    "  esac",
    '  case "${COMP_WORDS[COMP_CWORD-1]}" in',
    ...valuedFlags(commands).map(([name, values]) => `    ${name}) words="${values.join(" ")}" ;;`),
    "  esac",
    '  COMPREPLY=($(compgen -W "$words" -- "$current"))',
    "}",
    "complete -o default -F _flan flan",
  ].join("\n");
}

function zsh(commands: readonly CompletionNode[]): string {
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const described = (node: { name: string; summary: string }) =>
    quote(`${node.name.replaceAll(":", "\\:")}:${node.summary}`);
  const flags = (node: CompletionNode) => node.flags.map(described).join(" ");
  const cases = commands.flatMap((command) => [
    ...command.children.map((child) =>
      `    ${quote(`${command.name} ${child.name}`)}) entries=(${flags(child)}) ;;`
    ),
    `    ${quote(`${command.name} `)}*) entries=(${
      [...command.children.map(described), flags(command)].join(" ")
    }) ;;`,
  ]);
  return [
    "#compdef flan",
    "_flan() {",
    "  local -a entries plain",
    "  plain=(${${words[2,CURRENT-1]}:#-*})",
    '  case "${plain[1]} ${plain[2]}" in',
    `    ' ') entries=(${commands.map(described).join(" ")}) ;;`,
    ...cases,
    "  esac",
    '  case "${words[CURRENT-1]}" in',
    ...valuedFlags(commands).map(([name, values]) => `    ${name}) entries=(${values.join(" ")}) ;;`),
    "  esac",
    "  _describe flan entries || _files",
    "}",
    'if [ "$funcstack[1]" = _flan ]; then _flan "$@"; else compdef _flan flan; fi',
  ].join("\n");
}

function fish(commands: readonly CompletionNode[]): string {
  const quote = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const flag = (condition: string, { name, summary, takesValue, values }: CompletionNode["flags"][number]) =>
    `complete -c flan -n ${quote(condition)} ${
      name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`
    } -d ${quote(summary)}${takesValue ? " -r" : ""}${
      values.length === 0 ? "" : ` -f -a ${quote(values.join(" "))}`
    }`;
  const lines = commands.flatMap((command) => {
    const within = `__fish_seen_subcommand_from ${command.name}`;
    const names = command.children.map((child) => child.name).join(" ");
    const open = names === "" ? within : `${within}; and not __fish_seen_subcommand_from ${names}`;
    return [
      `complete -c flan -f -n __fish_use_subcommand -a ${command.name} -d ${quote(command.summary)}`,
      ...command.flags.map((one) => flag(open, one)),
      ...command.children.flatMap((child) => [
        `complete -c flan -f -n ${quote(open)} -a ${child.name} -d ${quote(child.summary)}`,
        ...child.flags.map((one) => flag(`${within}; and __fish_seen_subcommand_from ${child.name}`, one)),
      ]),
    ];
  });
  return lines.join("\n");
}

/** The flags with few values, whatever command takes them. */
function valuedFlags(commands: readonly CompletionNode[]): [name: string, values: readonly string[]][] {
  const flags = commands.flatMap((command) => [command, ...command.children]).flatMap((node) => node.flags);
  return [
    ...new Map(flags.filter(({ values }) => values.length > 0).map(({ name, values }) => [name, values])),
  ];
}

function flagNames(node: CompletionNode): string {
  return node.flags.map((flag) => flag.name).join(" ");
}
