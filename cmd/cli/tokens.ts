/**
 * The words of a command line by what they are, as POSIX and GNU have them (IEEE Std 1003.1, 12.2; glibc's manual, "Program
 * Argument Syntax Conventions"). node:util's parseArgs does so too, and takes every command 9 ms to load.
 */
import type { Option } from "./command.ts";

export interface FlagToken {
  readonly kind: "flag";
  /** Which word it stands in. */
  readonly index: number;
  /** `store` for `--store`, `output` for its `-o`, `help` for `-h`. */
  readonly name: string;
  /** The text that stands in it, or the word after it where the option takes one; undefined where there is none. */
  readonly value: string | undefined;
  /** Whether the value stands in the same word. */
  readonly inlineValue: boolean;
}

export type Token = FlagToken | { readonly kind: "argument"; readonly value: string };

/** `--` itself is no token; all that follows are arguments. */
export function tokensOf(words: readonly string[], options: readonly Option[]): readonly Token[] {
  const tokens: Token[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (word === "--") {
      tokens.push(...words.slice(index + 1).map((value) => ({ kind: "argument" as const, value })));
      break;
    }
    if (word === "-" || !word.startsWith("-")) tokens.push({ kind: "argument", value: word });
    else {
      const found = (word.startsWith("--") ? longFlag : shortFlags)(word, options);
      const last = found.at(-1)!;
      // A value may begin with a dash: whoever needs one says what is wrong with it.
      const takesNext = last.value === undefined && last.option !== undefined && last.option.argument !== "";
      const next = takesNext && index + 1 < words.length ? words[index + 1] : undefined;
      for (const { name, value } of found) {
        tokens.push({ kind: "flag", index, name, value, inlineValue: value !== undefined });
      }
      if (next !== undefined) {
        tokens[tokens.length - 1] = { kind: "flag", index, name: last.name, value: next, inlineValue: false };
        index++;
      }
    }
  }
  return tokens;
}

interface Found {
  readonly name: string;
  readonly option: Option | undefined;
  readonly value: string | undefined;
}

/** `--store` or `--store=URL`. */
function longFlag(word: string, options: readonly Option[]): Found[] {
  const end = word.indexOf("=", 3);
  const long = end === -1 ? word : word.slice(0, end);
  const option = options.find((one) => one.long === long);
  return [{ name: long.slice(2), option, value: end === -1 ? undefined : word.slice(end + 1) }];
}

/** `-qv`, or `-ojson`: the letters after one that takes a value are its value. */
function shortFlags(word: string, options: readonly Option[]): Found[] {
  const found: Found[] = [];
  for (let i = 1; i < word.length; i++) {
    const option = options.find(({ short }) => short === `-${word[i]}`);
    const takesRest = option !== undefined && option.argument !== "" && i + 1 < word.length;
    found.push({
      name: option?.long.slice(2) ?? (word[i] === "h" ? "help" : word[i]!),
      option,
      value: takesRest ? word.slice(i + 1) : undefined,
    });
    if (takesRest) break;
  }
  return found;
}
