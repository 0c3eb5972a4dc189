/** What `deno task bench` is asked for. */
import { parsed, UsageError, writable } from "./usage.ts";

export interface Settings {
  /** Which are measured, in this order. */
  readonly parts: readonly string[];
  readonly isQuick: boolean;
  /** Whether the README's block of what was measured is written anew. */
  readonly isForReadme: boolean;
  /** Where the figures go beside the terminal. */
  readonly json: string | undefined;
}

/** The help text, with the names of the parts that there are. */
export const help = (parts: readonly string[]): string =>
  `Usage: deno task bench [PART…] [--quick] [--readme] [--json FILE]

Measures flan on this machine, and asserts nothing.

  PART         ${parts.join(", ")}; all of them where none is given
  --quick      one short round of the planes
  --readme     write the table into its block of the README, where it has one (commands)
  --json FILE  write the figures there too`;

/** Reads the arguments; undefined where help is asked for. Throws UsageError. */
export function settingsOf(args: readonly string[], parts: readonly string[]): Settings | undefined {
  const { values, positionals } = parsed({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      readme: { type: "boolean", default: false },
      json: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
    allowPositionals: true,
  });
  if (values.help) return undefined;
  const unknown = positionals.find((name) => !parts.includes(name));
  if (unknown !== undefined) throw new UsageError(`Unknown part '${unknown}': there are ${parts.join(", ")}`);
  return {
    parts: positionals.length > 0 ? positionals : parts,
    isQuick: values.quick,
    isForReadme: values.readme,
    json: values.json === undefined ? undefined : writable(values.json),
  };
}
