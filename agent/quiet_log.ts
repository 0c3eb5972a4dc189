/**
 * A log that stays small: what comes and goes every second is told ten times a minute at most, and then how often
 * it was not. Lines are told apart by their `code`, and their `kind` where they have one; those without
 * a code, and those for debugging, all pass.
 */
import type { Clock } from "../net/clock.ts";
import type { Fields, Level, Logger } from "../net/log.ts";

/** Lines of one cause in any minute. */
const MOST = 10;
const MINUTE_MS = 60_000;

interface Told {
  /** Monotonic milliseconds at which the last lines were written, oldest first. */
  readonly at: number[];
  /** How many were left out since. */
  left: number;
  last: { readonly level: Level; readonly message: string; readonly fields: Fields };
}

export class QuietLog implements Logger {
  readonly #told = new Map<string, Told>();
  readonly #log: Logger;
  readonly #clock: Clock;

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  log(level: Level, message: string, fields: Fields = {}): void {
    const { code, kind = "" } = fields;
    if (typeof code !== "string" || level === "debug") return this.#log.log(level, message, fields);
    const cause = `${code} ${kind}`;
    const told = this.#told.get(cause) ?? { at: [], left: 0, last: { level, message, fields } };
    this.#told.set(cause, told);
    told.last = { level, message, fields };
    if (this.#isFull(told)) told.left++;
    else this.#write(told);
  }

  /** Says what was left out and may be said by now, so that the last word on everything stands in the log. */
  flush(): void {
    for (const told of this.#told.values()) {
      if (told.left === 0 || this.#isFull(told)) continue;
      told.left--; // the last one is told now
      this.#write(told);
    }
  }

  #write(told: Told): void {
    const { level, message, fields } = told.last;
    const left = told.left === 0 ? "" : `; ${told.left} lines like this were left out before`;
    told.at.push(this.#clock.monotonic());
    told.left = 0;
    this.#log.log(level, `${message}${left}`, fields);
  }

  /** Whether as many lines as a minute may have were written in the last one; forgets older ones. */
  #isFull({ at }: Told): boolean {
    const since = this.#clock.monotonic() - MINUTE_MS;
    while (at.length > 0 && at[0]! <= since) at.shift();
    return at.length >= MOST;
  }
}
