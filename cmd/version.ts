/** The version of flan, as `flan --version` prints it. */
export const version = "0.1.0";

/** The day of that version, for the manual page. */
export const released = "2026-11-22";

/** What flan is, in one line. */
export const summary = "Joins Linux hosts into one flat network";
