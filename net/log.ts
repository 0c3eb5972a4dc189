/** The log as its writers see it; `cmd/log.ts` implements it, tests collect it. */

export type Level = "debug" | "info" | "warning" | "error";

/** Values that go with a line, under stable names: `code`, `subnet`, `revision`, `milliseconds`. */
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Logger {
  log(level: Level, message: string, fields?: Fields): void;
}

/** A logger that says nothing. */
export const silent: Logger = { log() {} };
