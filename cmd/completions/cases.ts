/** What the scripts for bash and zsh have in common: a `case` over the place on the line, and over the flag there. */
import type { KnownValues } from "../cli.ts";
import { type Place, spellings } from "../command_tree.ts";

/** The pattern for `"$first $second"`, or for `"$first $second $flag"`. */
export function placePattern({ first, second }: Place, flag?: string): string {
  const end = flag === undefined ? "" : ` ${flag}`;
  if (second !== undefined) return `"${first} ${second}${end}"`;
  return end === "" ? `"${first} "*` : `"${first} "*"${end}"`;
}

/** A line for each flag at that place whose values are known; `set` makes them a command of the shell. */
export function valueCases(place: Place, set: (values: KnownValues) => string): string[] {
  return place.flags.filter(({ values }) => values.length > 0).map((flag) =>
    `    ${spellings(flag).map((name) => placePattern(place, name)).join("|")}) ${set(flag.values)} ;;`
  );
}
