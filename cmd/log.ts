/** The log of flan on stderr or in a file. The only file that imports LogTape. */
import { configureSync, getLogger, jsonLinesFormatter } from "logtape";
import type { LogRecord } from "logtape";
import { invalid, systemReason } from "../net/errors.ts";
import type { Level, Logger } from "../net/log.ts";
import { printable } from "../net/text.ts";
import { isJournal, priorityPrefix } from "./journal.ts";
import type { Settings } from "./settings.ts";

/** Opens the log as the settings ask. Throws `invalid` where the log file cannot be opened. */
export function openLog(settings: Pick<Settings, "logFile" | "logFormat" | "quiet" | "verbose">): Logger {
  const file = settings.logFile === undefined ? undefined : openFile(settings.logFile);
  const toJournal = file === undefined && isJournal(Deno.env.get("JOURNAL_STREAM"), "/proc/self/fd/2");
  const format = settings.logFormat === "json" ? jsonLinesFormatter : toJournal ? journalLine : line;
  configureSync({
    reset: true,
    sinks: { out: (record) => writeAll(file ?? Deno.stderr, format(record)) },
    loggers: [
      {
        category: ["flan"],
        sinks: ["out"],
        lowestLevel: settings.verbose ? "debug" : settings.quiet ? "warning" : "info",
      },
      { category: ["logtape", "meta"], lowestLevel: "fatal" },
    ],
  });
  const logger = getLogger(["flan"]);
  return {
    log(level, message, fields) {
      // LogTape reads braces as placeholders, but only where a message has an opening one; ours are plain text.
      const plain = printable(message, 2000);
      const text = plain.includes("{") ? plain.replaceAll("{", "{{").replaceAll("}", "}}") : plain;
      if (level === "warning") logger.warn(text, fields);
      else logger[level](text, fields);
    },
  };
}

function openFile(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { create: true, append: true, write: true });
  } catch (error) {
    throw invalid(
      "log",
      `Cannot open log file ${path}: ${systemReason(error)}`,
      "name another one with --log-file",
    );
  }
}

/** `2026-01-02T03:04:05.678Z warning message code=foreign-route`. */
function line(record: LogRecord): string {
  return `${new Date(record.timestamp).toISOString()} ${record.level} ${text(record)}\n`;
}

/** `<4>message code=foreign-route`: the journal keeps the time and the level itself. */
function journalLine(record: LogRecord): string {
  return `${priorityPrefix(record.level as Level)}${text(record)}\n`;
}

function text({ message, properties }: LogRecord): string {
  const fields = Object.entries(properties)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) =>
      ` ${key}=${/^[\w./:@-]+$/.test(String(value)) ? value : JSON.stringify(printable(String(value), 400))}`
    )
    .join("");
  return message.join("") + fields;
}

/** A log that cannot be written (disk full, closed pipe) must not stop the network. */
function writeAll(file: { writeSync(bytes: Uint8Array): number }, text: string): void {
  try {
    let rest: Uint8Array = new TextEncoder().encode(text);
    while (rest.length > 0) rest = rest.subarray(file.writeSync(rest));
  } catch { /* there is nowhere left to say so */ }
}
