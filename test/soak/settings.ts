/** What `deno task soak` is asked for. */
import { parsed, UsageError, writable } from "../bench/usage.ts";

export interface Settings {
  readonly minutes: number;
  /** 32 bits. */
  readonly seed: number;
  /** Where the figures go beside the terminal. */
  readonly json: string | undefined;
}

/** A week. */
const MOST_MINUTES = 7 * 24 * 60;

export const help = `Usage: deno task soak [--minutes N] [--seed N] [--json FILE]

Three hosts on the udp backend under traffic, while peers come and go and things break.
Exits with 1 where something did not hold.

  --minutes N  how long, from 10 on for leaks to be told (60)
  --seed N     repeats the deeds of a run that told this seed
  --json FILE  write the figures there too`;

/** Reads the arguments; `chance` is the seed where none is given. Undefined where help is asked for. Throws UsageError. */
export function settingsOf(args: readonly string[], chance: number): Settings | undefined {
  const { values } = parsed({
    args: [...args],
    options: {
      minutes: { type: "string", default: "60" },
      seed: { type: "string", default: String(chance) },
      json: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return undefined;
  const minutes = /^\d+(\.\d+)?$/.test(values.minutes) ? Number(values.minutes) : NaN;
  if (!(minutes > 0 && minutes <= MOST_MINUTES)) {
    throw new UsageError(
      `Invalid --minutes '${values.minutes}': it must be a number above 0 and up to ${MOST_MINUTES}`,
    );
  }
  const seed = /^\d+$/.test(values.seed) ? Number(values.seed) : NaN;
  if (!(seed < 2 ** 32)) {
    throw new UsageError(
      `Invalid --seed '${values.seed}': it must be a whole number from 0 to ${2 ** 32 - 1}`,
    );
  }
  return { minutes, seed, json: values.json === undefined ? undefined : writable(values.json) };
}
