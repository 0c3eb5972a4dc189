/** The manual page flan(8): all of it from the commands, the settings and the exit codes. Pure text. */
import type { CommandNode, FlagNode } from "../command_tree.ts";
import { exit, exitMeanings } from "../exit.ts";
import { commonSettings } from "../leaf.ts";
import { environmentName, kebab, type Setting, type SettingKey, settingKeys, settings } from "../settings.ts";
import { display } from "../config.ts";
import { examples, files } from "./background.ts";
import { flagMacro, line, literal, paragraphs, plain, sentences, tagged } from "./mdoc.ts";

const flagOf = (key: SettingKey) => `--${kebab(key)}`;
/** Which host and network is meant, and how a person is spoken to. */
const common: readonly string[] = [...commonSettings.map(flagOf), "--config"];
const settingNames: ReadonlySet<string> = new Set([
  ...settingKeys.map((key) => `--${kebab(key)}`),
  "--config",
]);

/** `released` is the day of this version, `2026-01-31`. */
export function manualPage(
  commands: readonly CommandNode[],
  { summary, released }: { summary: string; released: string },
): string {
  const [year, month, day] = released.split("-").map(Number) as [number, number, number];
  return [
    `.Dd ${months[month - 1]} ${day}, ${year}`,
    ".Dt FLAN 8",
    ".Os",
    ...section("NAME", [".Nm flan", `.Nd ${plain(summary.charAt(0).toLowerCase() + summary.slice(1))}`]),
    ...section("SYNOPSIS", [".Nm", ".Ar command", ".Op Ar argument ...", ".Op Ar flag ..."]),
    ...section("DESCRIPTION", [
      ...sentences(
        "Every host owns one subnet of the network, its lease; packets to another host's subnet are carried by a backend. " +
          "Leases live in a store: a file, or a remote one. Standard output is the answer, standard error everything else.",
      ),
    ]),
    ...section("COMMANDS", commands.flatMap((command) => commandPart(command, []))),
    ...section("SETTINGS", [
      ...sentences(
        "Each comes from its flag, its environment variable, the config file, what the host has joined " +
          "with, or its default, in this order. The common ones, which nearly every command takes, are " +
          `${common.join(", ")}.`,
      ),
      ...tagged(settingKeys.map(settingPart)),
    ]),
    ...section("ENVIRONMENT", tagged([[".It Ev FLAN_CONFIG", "the config file, as with --config"]])),
    ...section("FILES", tagged(files.map(([path, text]) => [line("It Pa", path), text]))),
    ...section("EXIT STATUS", tagged(exitPart())),
    ...section(
      "EXAMPLES",
      examples.flatMap(([text, lines]) => [".Pp", ...sentences(text), ...literal(lines)]).slice(1),
    ),
    ...section("SEE ALSO", [".Xr bridge 8 ,", ".Xr ip 8"]),
    "",
  ].join("\n");
}

const months = "January February March April May June July August September October November December".split(
  " ",
);

function section(name: string, lines: readonly string[]): string[] {
  return [`.Sh ${name}`, ...lines];
}

/** A command with what is its own, or each command of a group. */
function commandPart(command: CommandNode, group: readonly string[]): string[] {
  const words = [...group, command.name];
  const { children, args, flags, after, summary } = command;
  if (children.length > 0) {
    return [
      line("Ss", `flan ${words.join(" ")}`),
      ...sentences(`${summary}. Without a command it is ${words.join(" ")} ${children[0]!.name}.`),
      ...children.flatMap((child) => commandPart(child, words)),
    ];
  }
  const own = flags.filter(({ name }) => !settingNames.has(name) && name !== "--help");
  const taken = flags.filter(({ name }) => settingNames.has(name));
  return [
    line("Ss", `flan ${words.join(" ")}`),
    line("Nm", "flan") + words.map((word) => ` Cm ${plain(word)}`).join(""),
    ...args.map(({ name }) =>
      name.startsWith("[") ? `.Op Ar ${plain(bare(name))}` : `.Ar ${plain(bare(name))}`
    ),
    ...own.map((flag) => `.Op ${flagMacro({ ...flag, short: undefined })}`),
    ".Pp",
    ...sentences(`${summary}.`),
    ...tagged([
      ...args.map((one) => [`.It Ar ${plain(bare(one.name))}`, one.summary] as const),
      ...own.map((flag) => [`.It ${flagMacro(flag)}`, flag.summary] as const),
    ]),
    ...(after === "" ? [] : paragraphs(after)),
    ...settingsLine(taken),
  ];
}

function settingsLine(flags: readonly FlagNode[]): string[] {
  if (flags.length === 0) return [];
  const names = flags.map(({ name }) => name);
  if (names.length > settingKeys.length) return [".Pp", ...sentences("It takes all settings.")];
  const isCommon = common.every((name) => names.includes(name));
  const own = isCommon ? names.filter((name) => !common.includes(name)) : names;
  const all = [...own, ...(isCommon ? ["the common ones"] : [])];
  return [".Pp", ...sentences(`Settings: ${all.join(", ")}.`)];
}

function settingPart(key: SettingKey): readonly [string, string] {
  const { argument, help, fallback } = settings[key] as Setting<unknown>;
  const flag = flagMacro({
    name: `--${kebab(key)}`,
    short: undefined,
    argument: argument.replace("...", ""),
  });
  const more = argument.includes("...") ? "; may be given several times" : "";
  const standard = fallback === undefined || fallback === false ? "" : `; default ${display(key, fallback)}`;
  return [`.It ${flag} , Ev ${environmentName(key)}`, `${help}${more}${standard}`];
}

function exitPart(): (readonly [string, string])[] {
  const names = Object.keys(exit) as (keyof typeof exit)[];
  return names.toSorted((a, b) => exit[a] - exit[b]).map((name) =>
    [`.It ${exit[name]}`, exitMeanings[name]] as const
  );
}

function bare(name: string): string {
  return name.replace(/[<>[\]]/g, "");
}
