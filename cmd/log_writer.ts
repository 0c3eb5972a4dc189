/** What the log looks like, on stderr, in the journal or in a file. The only file that imports LogTape. */
import { configureSync, getLogger, jsonLinesFormatter } from "logtape";
import type { LogRecord } from "logtape";
import type { Level, Logger } from "../net/log.ts";
import { printable } from "../net/text.ts";
import { writeLog } from "./log_output.ts";
import { isJournal, priorityPrefix } from "./journal.ts";
import type { Settings } from "./settings.ts";

export type LogSettings = Pick<Settings, "logFormat" | "quiet" | "verbose">;

/**
 * Writes records as the settings ask, to `file` or else to stderr, each before it returns. The last one that was opened
 * is the one that writes.
 */
export function logWriter({ logFormat, quiet, verbose }: LogSettings, file: Deno.FsFile | undefined): Logger {
  const toJournal = file === undefined && isJournal(Deno.env.get("JOURNAL_STREAM"), "/proc/self/fd/2");
  const format = logFormat === "json" ? jsonLinesFormatter : toJournal ? journalLine : line;
  configureSync({
    reset: true,
    sinks: { out: (record) => writeLog(file ?? Deno.stderr, format(record)) },
    loggers: [
      {
        category: ["flan"],
        sinks: ["out"],
        lowestLevel: verbose ? "debug" : quiet ? "warning" : "info",
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
