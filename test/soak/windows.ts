/** The times in which something was broken on purpose, and which loss belongs to which of them. */

/** Times are milliseconds since 1970. */
export interface Window {
  /** What was done: `proxy killed`. */
  readonly cause: string;
  /** To which host, from 1 on. */
  readonly host: number;
  readonly from: number;
  readonly to: number;
  /** Whether packets may be lost meanwhile. */
  readonly lossy: boolean;
  /** Who need not answer meanwhile: `agent 2`. */
  readonly silent: readonly string[];
}

/** A packet that was under way when something broke was sent a moment before. */
const UNDER_WAY_MS = 250;

/** The windows that overlap a time. */
export function windowsIn(windows: readonly Window[], time: { from: number; to: number }): Window[] {
  return windows.filter(({ from, to }) => time.to >= from - UNDER_WAY_MS && time.from <= to);
}

export interface Losses {
  /** Packets by the cause that explains them: one that may lose packets. */
  readonly byCause: Readonly<Record<string, number>>;
  /** Those that nothing explains, by what was done at that time, or "nothing". */
  readonly unexplained: Readonly<Record<string, number>>;
  /** Milliseconds from the beginning of a cause to the last packet lost to it: the longest for each. */
  readonly longest: Readonly<Record<string, number>>;
}

/** Sorts lost packets, given by the times when they were sent, by their causes. */
export function explain(lost: readonly number[], windows: readonly Window[]): Losses {
  const byCause: Record<string, number> = {};
  const unexplained: Record<string, number> = {};
  const longest: Record<string, number> = {};
  for (const at of lost) {
    const around = windowsIn(windows, { from: at, to: at });
    const lossy = around.find((one) => one.lossy);
    const cause = (lossy ?? around[0])?.cause ?? "nothing";
    const sums = lossy ? byCause : unexplained;
    sums[cause] = (sums[cause] ?? 0) + 1;
    if (lossy) longest[cause] = Math.max(longest[cause] ?? 0, at - lossy.from);
  }
  return { byCause, unexplained, longest };
}
