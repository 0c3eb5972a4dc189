/** The commands as data: what completions and the manual page are made of, and what the README is checked against. */
import type { Command, CommandEntry, KnownValues, Runner } from "./cli.ts";

export interface FlagNode {
  /** `--output`. */
  readonly name: string;
  /** `-o`, where there is one. */
  readonly short: string | undefined;
  /** What stands after it, such as `<file>`; "" for a switch. */
  readonly argument: string;
  readonly summary: string;
  readonly values: KnownValues;
}

export interface ArgumentNode {
  /** As help writes it: `<subnet>`, or `[subnet]` where it may be left out. */
  readonly name: string;
  readonly summary: string;
  readonly values: KnownValues;
}

export interface CommandNode {
  readonly name: string;
  readonly summary: string;
  readonly args: readonly ArgumentNode[];
  readonly flags: readonly FlagNode[];
  /** What its help says at the end, "" for nothing. */
  readonly after: string;
  /** Of a group; the first of them runs where none is named. */
  readonly children: readonly CommandNode[];
}

export const helpFlag: FlagNode = {
  name: "--help",
  short: "-h",
  argument: "",
  summary: "show help",
  values: [],
};

/** Loads every command and describes it. */
export async function commandTree(table: readonly CommandEntry[]): Promise<CommandNode[]> {
  const idle: Runner = async () => {};
  return await Promise.all(table.map(async ({ load }) => describe((await load()).command(idle, table))));
}

/** A group takes the flags and the arguments of its first command, which is what it does where no other is named. */
function describe(command: Command): CommandNode {
  const children = command.children.map(describe);
  return {
    name: command.name,
    summary: command.summary,
    args: children[0]?.args ??
      command.args.map(({ shown, summary, values }) => ({ name: shown, summary, values })),
    flags: children[0]?.flags ?? [
      ...command.options.filter(({ isHidden }) => !isHidden).map((option) => ({
        name: option.long,
        short: option.short,
        argument: option.argument,
        summary: option.summary,
        values: option.values,
      })),
      helpFlag,
    ],
    after: command.after,
    children,
  };
}

/** Where one can be on a command line, and what is known there. */
export interface Place {
  /** The command, "" before there is one. */
  readonly first: string;
  /** The command of a group, "" before there is one, undefined where any word may stand. */
  readonly second: string | undefined;
  /** Commands that may come now. */
  readonly commands: readonly CommandNode[];
  readonly args: readonly ArgumentNode[];
  readonly flags: readonly FlagNode[];
}

/** All places, from the beginning of the line on. */
export function placesOf(commands: readonly CommandNode[]): Place[] {
  const versionFlag = { ...helpFlag, name: "--version", short: "-V", summary: "show flan's version" };
  const start = { first: "", second: "", commands, args: [], flags: [helpFlag, versionFlag] };
  return [
    start,
    ...commands.flatMap(({ name: first, children, args, flags }): Place[] => [
      { first, second: children.length === 0 ? undefined : "", commands: children, args, flags },
      ...children.map((child) => ({ ...child, first, second: child.name, commands: [] })),
    ]),
  ];
}

/** Every flag that takes a value, long and short: the word after it is no command. */
export function valuedFlags(commands: readonly CommandNode[]): string[] {
  const flags = placesOf(commands).flatMap((place) => place.flags).filter(({ argument }) => argument !== "");
  return [...new Set(flags.flatMap(spellings))];
}

/** `-o` and `--output`. */
export function spellings({ name, short }: FlagNode): string[] {
  return short === undefined ? [name] : [short, name];
}
