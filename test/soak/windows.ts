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

/**
 * When each ping without an answer was sent, from the lines of `ping -D` with so many milliseconds between two pings. Its
 * numbers have 16 bits and begin again.
 */
export function lostPings(lines: readonly string[], intervalMs: number): number[] {
  const lost: number[] = [];
  let last: { number: number; at: number } | undefined;
  for (const line of lines) {
    const answer = /^\[([\d.]+)\] .* icmp_seq=(\d+) ttl=/.exec(line);
    if (answer === null) continue;
    const [at, number] = [Number(answer[1]) * 1000, Number(answer[2])];
    const steps = last === undefined ? number : (number - last.number + 65_536) % 65_536;
    // An answer that was overtaken seems to come from the far end of the numbers.
    if (steps > 32_768) continue;
    for (let i = 1; i < steps; i++) lost.push(at - (steps - i) * intervalMs);
    last = { number, at };
  }
  return lost;
}
