/** The log of flan on stderr or in a file. */
import { invalid, messageOf, systemReason } from "../net/errors.ts";
import type { Logger } from "../net/log.ts";
import { printable } from "../net/text.ts";
import { writeLog } from "./log_output.ts";
import type { LogSettings } from "./log_writer.ts";
import type { Settings } from "./settings.ts";

export interface Log extends Logger {
  /** Resolves when what was logged so far is written. */
  written(): Promise<void>;
  /** Loads what writes records, and resolves when they are written at once. */
  open(): Promise<void>;
}

/** Loads what writes records. */
type Load = () => Promise<Pick<typeof import("./log_writer.ts"), "logWriter">>;

/**
 * Opens the log as the settings ask. Throws `invalid` where the log file cannot be opened. LogTape is loaded for the
 * first record, which takes a while: the commands that only look seldom have one. Where it cannot be loaded, as when an
 * upgrade has taken it away meanwhile, records are written plainly.
 */
export function openLog(
  settings: LogSettings & Pick<Settings, "logFile">,
  load: Load = () => import("./log_writer.ts"),
): Log {
  const file = settings.logFile === undefined ? undefined : openFile(settings.logFile);
  const waiting: Parameters<Logger["log"]>[] = [];
  let writer: Logger | undefined;
  let opening: Promise<void> | undefined;
  const begin = async () => {
    try {
      writer = (await load()).logWriter(settings, file);
    } catch (error) {
      writer = plainWriter(settings, file);
      writer.log("warning", `The log cannot be written as the settings ask: ${messageOf(error)}`);
    }
    for (const record of waiting.splice(0)) writer.log(...record);
  };
  const open = () => opening ??= begin();
  return {
    log(...record) {
      if (writer !== undefined) return writer.log(...record);
      waiting.push(record);
      void open();
    },
    written: () => opening ?? Promise.resolve(),
    open,
  };
}

/** `warning message {"code":"store"}`: what is left where the writer cannot be loaded. */
function plainWriter({ quiet, verbose }: LogSettings, file: Deno.FsFile | undefined): Logger {
  return {
    log(level, message, fields = {}) {
      if ((level === "debug" && !verbose) || (level === "info" && quiet && !verbose)) return;
      const text = `${level} ${printable(message, 2000)} ${printable(JSON.stringify(fields), 2000)}`;
      writeLog(file ?? Deno.stderr, `${text.replace(/ {}$/, "")}\n`);
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
