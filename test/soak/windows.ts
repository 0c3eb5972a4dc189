/** The times in which something was broken on purpose, and which loss belongs to which of them. */

/** Times are milliseconds since 1970. */
export interface Window {
  /** What was done: `proxy killed`. */
  readonly cause: string;
  /** To which host, from 1 on. */
  readonly host: number;
  readonly from: number;
  /** When the host was whole again, and packets that had waited had gone. */
  readonly to: number;
  /** How long packets of this host may be lost from `from` on, milliseconds; 0 where none may be. */
  readonly outage: number;
  /** Who need not answer meanwhile: `agent 2`. */
  readonly silent: readonly string[];
}

/** A packet that was under way when something broke was sent a moment before. */
const UNDER_WAY_MS = 250;

/** The windows that overlap a time. */
export function windowsIn(windows: readonly Window[], time: { from: number; to: number }): Window[] {
  return windows.filter(({ from, to }) => time.to >= from - UNDER_WAY_MS && time.from <= to);
}

/** A packet without an answer: when it was sent, and the hosts that it went between. */
export interface Loss {
  readonly at: number;
  readonly ends: readonly [from: number, to: number];
}

export interface Losses {
  /** Packets by the cause that explains them: one that may lose packets of their hosts, and not for longer than it may. */
  readonly byCause: Readonly<Record<string, number>>;
  /** Those that nothing explains, by what was done at that time and to whom, or "nothing". */
  readonly unexplained: Readonly<Record<string, number>>;
  /** Milliseconds from the beginning of a cause to the last packet lost at one of its hosts: the longest for each. */
  readonly longest: Readonly<Record<string, number>>;
}

/** Sorts lost packets by their causes. A fault explains only what was lost on the way from its host or to it. */
export function explain(lost: readonly Loss[], windows: readonly Window[]): Losses {
  const byCause: Record<string, number> = {};
  const unexplained: Record<string, number> = {};
  const longest: Record<string, number> = {};
  for (const { at, ends } of lost) {
    const around = windowsIn(windows, { from: at, to: at });
    const own = around.filter(({ host, outage }) => ends.includes(host) && outage > 0);
    for (const { cause, from } of own) longest[cause] = Math.max(longest[cause] ?? 0, at - from);
    const reason = own.find(({ from, outage }) => at - from <= outage);
    const [sums, name] = reason ? [byCause, reason.cause] : [unexplained, beside(ends, own[0] ?? around[0])];
    sums[name] = (sums[name] ?? 0) + 1;
  }
  return { byCause, unexplained, longest };
}

/** What was done when a packet was lost that it does not explain. */
function beside(ends: Loss["ends"], window: Window | undefined): string {
  if (window === undefined) return "nothing";
  const { cause, host, outage } = window;
  if (!ends.includes(host)) return `${cause} on host ${host}, between hosts ${ends.join(" and ")}`;
  return outage > 0 ? `${cause}, after ${Math.round(outage)} ms` : cause;
}
