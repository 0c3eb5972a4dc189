/** The journal of systemd as the reader of stderr: systemd.exec(5) for JOURNAL_STREAM, sd-daemon(3) for the prefixes. */
import type { Level } from "../net/log.ts";

/** syslog(3) priorities. */
const priorities: Readonly<Record<Level, number>> = { debug: 7, info: 6, warning: 4, error: 3 };

/** What the journal takes the line's priority from. */
export function priorityPrefix(level: Level): string {
  return `<${priorities[level]}>`;
}

/**
 * Whether stderr goes to the journal: `stream` (JOURNAL_STREAM) names its device and inode. A process further down may
 * have inherited the variable and have its stderr elsewhere.
 */
export function isJournal(stream: string | undefined, stderr: string): boolean {
  const [, dev, ino] = /^(\d+):(\d+)$/.exec(stream ?? "") ?? [];
  if (dev === undefined) return false;
  try {
    const found = Deno.statSync(stderr);
    return String(found.dev) === dev && String(found.ino) === ino;
  } catch {
    return false; // closed, or no /proc: whoever reads it is told the time
  }
}
