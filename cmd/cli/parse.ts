/** From the words of a command line to a command, its flags and its arguments. */
import { parseArgs } from "node:util";
import { invalid } from "../../net/errors.ts";
import { didYouMean } from "../../net/suggest.ts";
import { quoted } from "../../net/text.ts";
import { flannelHint } from "../flannel_flags.ts";
import type { Arguments, Command, Flags, Option } from "./command.ts";

/** What a line asks for: `help` shows that of the last command of `path`, which begins with the program. */
export type Parsed =
  | { readonly asks: "run"; readonly command: Command; readonly flags: Flags; readonly args: Arguments }
  | { readonly asks: "help"; readonly path: readonly Command[] }
  | { readonly asks: "version" };

/**
 * Reads the words after the program's name. A group is told which of its commands is meant by the first word after
 * it. Throws `invalid` with what is wrong, and with what was probably meant.
 */
export function parseLine(program: Command, words: readonly string[]): Parsed {
  if (beforeTerminator(words).some((word) => word === "-V" || word === "--version")) {
    return { asks: "version" };
  }
  const path = [program];
  let rest = words;
  for (let here = program; here.children.length > 0; path.push(here)) {
    const [word = "-"] = rest;
    const named = here.children.find(({ name }) => name === word);
    if (named === undefined && word.startsWith("-") && asksForHelp(rest)) return { asks: "help", path };
    here = named ?? first(here, word);
    if (named !== undefined) rest = rest.slice(1);
  }
  const command = path.at(-1)!;
  const { flags, args, unknown, isHelp } = parseWords(command, rest);
  if (isHelp) return { asks: "help", path };
  refuseContradiction(command, flags);
  if (unknown !== undefined) throw unknownOption(unknown, path);
  refuseArguments(command, args);
  return { asks: "run", command, flags, args };
}

/** The child that runs where none is named; throws where there is none, or where `word` was to name one. */
function first(group: Command, word: string): Command {
  const names = group.children.map(({ name }) => name);
  if (!word.startsWith("-")) {
    throw group.runsFirst
      ? invalid(
        "cli",
        `Unknown command ${quoted(word)} of flan ${group.name}`,
        didYouMean(word, names) ?? `one of ${names.join(", ")}`,
      )
      : invalid("cli", `Unknown command '${word}'`, didYouMean(word, names));
  }
  if (!group.runsFirst) throw unknownOption(word, [group]);
  return group.children[0]!;
}

interface Words {
  readonly flags: Flags;
  readonly args: readonly string[];
  /** The first word that looks like a flag and is none, or is a switch with a value. */
  readonly unknown: string | undefined;
  readonly isHelp: boolean;
}

function parseWords(command: Command, words: readonly string[]): Words {
  const options = new Map(command.options.map((option) => [option.long.slice(2), option]));
  const flags: Record<string, unknown> = {};
  const args: string[] = [];
  let unknown: string | undefined;
  let isHelp = false;
  let last = -1;
  for (const token of tokensOf(words, [...options.values()])) {
    if (token.kind === "option-terminator") continue;
    const word = words[token.index]!;
    // Several letters after one dash are as many tokens.
    const isRead = token.index === last;
    last = token.index;
    if (token.kind === "positional") args.push(token.value);
    else if (isNegativeNumber(word)) args.push(...isRead ? [] : [word]);
    else if (isOfAnotherProgram(word, command)) unknown ??= word;
    else if (token.name === "help" || token.rawName === "-h") isHelp = true;
    else {
      const option = options.get(token.name);
      if (option !== undefined && (option.argument !== "" || token.value === undefined)) {
        flags[option.key] = given(option, { ...token, before: flags[option.key] });
      } else unknown ??= word;
    }
  }
  return { flags, args, unknown, isHelp };
}

/** Unknown flags are no errors of Node's, which would end at the first one, even where help is asked for. */
function tokensOf(words: readonly string[], options: readonly Option[]) {
  const known = options.map(({ long, short, argument }) => [long.slice(2), {
    type: argument === "" ? "boolean" as const : "string" as const,
    ...short === undefined ? {} : { short: short.slice(1) },
  }]);
  const config = { ...Object.fromEntries(known), help: { type: "boolean" as const, short: "h" } };
  return parseArgs({ args: [...words], options: config, strict: false, tokens: true }).tokens;
}

interface Given {
  readonly value?: string | undefined;
  /** Whether it was written `--flag=value`, and so is a value whatever it looks like. */
  readonly inlineValue?: boolean | undefined;
  /** What was given for the same flag before. */
  readonly before: unknown;
}

/** A flag that follows one without its value is not that value: `--iface --dry-run` would change what it was to show. */
function given(option: Option, { value, inlineValue = false, before }: Given): unknown {
  if (option.argument === "") return true;
  if (value === undefined) throw invalid("cli", `Option '${option.flags}' needs a value`);
  if (!inlineValue && /^--?[a-z]/i.test(value)) {
    const hint = `${option.long}=${value} where that is the value`;
    throw invalid("cli", `Option '${option.flags}' needs a value before '${value}'`, hint);
  }
  return option.isRepeatable ? [...(before as string[] | undefined) ?? [], value] : value;
}

function refuseContradiction({ options }: Command, flags: Flags): void {
  for (const option of options.filter(({ key }) => key in flags)) {
    const other = options.find(({ key }) => key in flags && option.against.includes(key));
    if (other === undefined) continue;
    throw invalid("cli", `Option '${option.flags}' cannot be used with option '${other.flags}'`);
  }
}

function refuseArguments(command: Command, args: readonly string[]): void {
  const missing = command.args.find(({ isRequired }, i) => isRequired && args[i] === undefined);
  if (missing !== undefined) throw invalid("cli", `Missing required argument '${missing.name}'`);
  const takes = command.args.length;
  if (args.length <= takes) return;
  const got = `it takes ${takes}, and got ${args.length}: ${args.join(", ")}`;
  throw invalid("cli", `Too many arguments for ${command.name}: ${got}`, command.excessHint);
}

function unknownOption(word: string, path: readonly Command[]) {
  // A value may be secret, and it is not what is wrong.
  const [name] = word.split("=") as [string];
  const command = path.at(-1)!;
  const known = command.options.filter(({ isHidden }) => !isHidden).map(({ long }) => long);
  if (known.includes(name)) return invalid("cli", `Option '${name}' takes no value`, flannelHint(word));
  const elsewhere = Object.hasOwn(command.elsewhere, name) ? command.elsewhere[name] : undefined;
  const hint = flannelHint(word) ?? elsewhere ??
    (command.children.some((child) => knows(child, name)) ? "it goes after the command" : undefined);
  const long = name.replace(/^-(?=[a-z]{2})/, "--");
  const guess = long.startsWith("--") ? didYouMean(long, [...known, "--help", "--version"]) : undefined;
  return invalid("cli", `Unknown option '${name}'`, hint ?? guess);
}

/** Whether the command or one below it has the option. */
function knows({ options, children }: Command, name: string): boolean {
  return options.some(({ long, short, isHidden }) => !isHidden && (long === name || short === name)) ||
    children.some((child) => knows(child, name));
}

function asksForHelp(words: readonly string[]): boolean {
  return beforeTerminator(words).some((word) => word === "-h" || word === "--help");
}

/** What follows `--` is no flag. */
function beforeTerminator(words: readonly string[]): readonly string[] {
  const at = words.indexOf("--");
  return at === -1 ? words : words.slice(0, at);
}

/** Whether it is a long flag with one dash, as flanneld takes them: read letter by letter, `-iface-can-reach` has an `h`. */
function isOfAnotherProgram(word: string, { options }: Command): boolean {
  return /^-[a-z]{2}/.test(word) && !["-h", ...options.map(({ short }) => short)].includes(word.slice(0, 2));
}

/** `-1` is a value of `flan config set`, and no flag of anybody's. */
function isNegativeNumber(word: string): boolean {
  return /^-\d/.test(word);
}
