/** The log of flan on stderr or in a file. */
import { invalid, systemReason } from "../net/errors.ts";
import type { Logger } from "../net/log.ts";
import type { LogSettings } from "./log_writer.ts";
import type { Settings } from "./settings.ts";

export interface Log extends Logger {
  /** Resolves when what was logged so far is written. */
  written(): Promise<void>;
}

/**
 * Opens the log as the settings ask. Throws `invalid` where the log file cannot be opened. LogTape is loaded for the
 * first record, which takes a while: the commands that only look seldom have one.
 */
export function openLog(settings: LogSettings & Pick<Settings, "logFile">): Log {
  const file = settings.logFile === undefined ? undefined : openFile(settings.logFile);
  const waiting: Parameters<Logger["log"]>[] = [];
  let writer: Logger | undefined;
  let opening = Promise.resolve();
  const open = async () => {
    const { logWriter } = await import("./log_writer.ts");
    writer = logWriter(settings, file);
    for (const record of waiting.splice(0)) writer.log(...record);
  };
  return {
    log(...record) {
      if (writer !== undefined) writer.log(...record);
      else if (waiting.push(record) === 1) opening = open();
    },
    written: () => opening,
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
