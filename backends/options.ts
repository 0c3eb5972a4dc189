/** Reads a backend's options: keys count in any case, as in Go's JSON decoder, and the last one of a name wins. */
import { invalid } from "../net/errors.ts";
import type { Json } from "../net/json.ts";
import { didYouMean } from "../net/suggest.ts";
import { quoted } from "../net/text.ts";

export type RawOptions = { readonly [key: string]: Json };

function unknownWords(name: string, known: readonly string[]): string {
  const meant = didYouMean(name, known);
  return `is not known to this version and is ignored${meant === undefined ? "" : `: ${meant}`}`;
}

export class OptionReader {
  /** A sentence for each option that is ignored. */
  readonly notes: string[] = [];
  /** A clause for each option that cannot be used, with its key as written and its value. */
  readonly problems: string[] = [];
  readonly #values = new Map<string, { readonly key: string; readonly value: Json }>();
  readonly #backend: string;

  /** `known` are the names that the `backend` has, in lower case; every other key is noted as ignored. */
  constructor(raw: RawOptions, { backend, known }: { backend: string; known: readonly string[] }) {
    this.#backend = backend;
    for (const [key, value] of Object.entries(raw)) {
      const name = key.toLowerCase();
      if (known.includes(name)) this.#values.set(name, { key, value });
      else this.ignored(quoted(key), unknownWords(name, known));
    }
  }

  /** A whole number, undefined where none is given; null and, with `zero`, 0 mean the same. */
  integer(name: string, rule: { least: number; most: number; zero?: boolean }): number | undefined {
    const given = this.#given(name);
    if (given === undefined || (rule.zero && given.value === 0)) return undefined;
    const { key, value } = given;
    if (typeof value === "number" && Number.isInteger(value) && value >= rule.least && value <= rule.most) {
      return value;
    }
    this.#refuse(key, { value, needed: `${rule.least} to ${rule.most}` });
    return undefined;
  }

  /** True or false, `absent` where neither is given. */
  flag(name: string, absent = false): boolean {
    const given = this.#given(name);
    if (given === undefined) return absent;
    if (typeof given.value === "boolean") return given.value;
    this.#refuse(given.key, { value: given.value, needed: "true or false" });
    return absent;
  }

  /** One of `words`, the first where none is given. */
  word<const T extends string>(name: string, words: readonly [T, ...T[]]): T {
    const given = this.#given(name);
    if (given === undefined) return words[0];
    const found = words.find((word) => word === given.value);
    if (found !== undefined) return found;
    this.#refuse(given.key, {
      value: given.value,
      needed: words.map((word) => JSON.stringify(word)).join(" or "),
    });
    return words[0];
  }

  /** A text of at most `most` characters without NUL, "" where none is given. */
  text(name: string, { most }: { most: number }): string {
    const given = this.#given(name);
    if (given === undefined) return "";
    const { key, value } = given;
    if (typeof value === "string" && value.length <= most && !value.includes("\0")) return value;
    this.#refuse(key, { value, needed: `a text of at most ${most} characters` });
    return "";
  }

  /** A text that `read` understands, undefined where none is given. It is a secret: no refusal repeats it. */
  secret<T>(name: string, { read, needed }: { read: (text: string) => T | undefined; needed: string }) {
    const given = this.#given(name);
    if (given === undefined || given.value === "") return undefined;
    const found = typeof given.value === "string" ? read(given.value) : undefined;
    if (found === undefined) this.problems.push(`${given.key} cannot be used: ${needed} is needed`);
    return found;
  }

  /** The option's key as it is written, undefined where it is not given. */
  keyOf(name: string): string | undefined {
    return this.#values.get(name)?.key;
  }

  /** Notes that an option is left unused. */
  ignored(key: string, why: string): void {
    this.notes.push(`The ${this.#backend} option ${key} ${why}`);
  }

  /** Throws `invalid` with every key and value that cannot be used. */
  requireUsable(): void {
    if (this.problems.length === 0) return;
    const problems = this.problems.join("; ");
    throw invalid("backend.check", `Cannot use the ${this.#backend} options: ${problems}`);
  }

  #given(name: string) {
    const given = this.#values.get(name);
    return given?.value === null ? undefined : given;
  }

  #refuse(key: string, { value, needed }: { value: Json; needed: string }): void {
    this.problems.push(`${key} is ${quoted(value)} but ${needed} is needed`);
  }
}
