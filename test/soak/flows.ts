/** What came of each flow between two hosts, judged by itself: one that stands still must not hide behind others. */
import type { FlowNews } from "./flow.ts";
import { readPings } from "./pings.ts";

/** What a program that sends has told. Times are milliseconds since 1970. */
export interface Told {
  /** `pings 1 to 3`. */
  readonly name: string;
  /** Its hosts, from 1 on. */
  readonly ends: readonly [from: number, to: number];
  readonly lines: readonly string[];
  readonly begun: number;
  /** When it was told to end, or ended by itself. */
  readonly ended: number;
  /** How it ended; `early` where nobody had told it to. */
  readonly code: number;
  readonly early: boolean;
  /** The last that it said on stderr, or "". */
  readonly said: string;
}

/** Each packet that was sent is answered or lost. */
export interface Flow {
  readonly name: string;
  readonly ends: readonly [from: number, to: number];
  readonly sent: number;
  readonly answered: number;
  /** When each of those was sent that were not answered. */
  readonly lost: readonly number[];
  readonly duplicates: number;
  /** What is wrong with the flow as such, in words. */
  readonly complaints: readonly string[];
}

/** How long before its end a flow must have told something: an outage of TCP is over by then, with its back-off. */
export const LAST_MS = 5000;
export const PING_MS = 100;
/** A flow tells each second what was in it. */
const NEWS_MS = 1000;

/** A flow of datagrams and TCP blocks, from the lines of {@link FlowNews}. */
export function flowOf(told: Told, news: readonly FlowNews[]): Flow {
  const sum = (of: (one: FlowNews) => number, some = news) => some.reduce((all, one) => all + of(one), 0);
  const last = news.filter(({ at }) => at >= told.ended - LAST_MS && at <= told.ended + NEWS_MS);
  const [sent, answered] = [sum((one) => one.sent), sum((one) => one.answered)];
  const lost = news.flatMap((one) => one.lost);
  return {
    name: told.name,
    ends: told.ends,
    sent,
    answered,
    lost,
    duplicates: sum((one) => one.duplicates),
    complaints: [
      ...endOf(told),
      ...some(sent !== answered + lost.length, unbalanced({ sent, answered, lost: lost.length })),
      ...some(sum((one) => one.answered, last) === 0, `no datagram was answered in ${lastSeconds}`),
      ...some(sum((one) => one.blocks, last) === 0, `TCP carried nothing in ${lastSeconds}`),
    ].map((why) => `${told.name}: ${why}`),
  };
}

/** A flow of pings, from the lines of `ping -D`. */
export function pingsOf(told: Told): Flow {
  const { sent, answered, received, duplicates, lost, lastAnswered } = readPings(told.lines, {
    intervalMs: PING_MS,
    begun: told.begun,
  });
  const known = sent ?? answered + lost.length;
  const isSilent = lastAnswered === undefined || lastAnswered < told.ended - LAST_MS;
  return {
    name: told.name,
    ends: told.ends,
    sent: known,
    answered,
    lost,
    duplicates,
    complaints: [
      ...endOf(told),
      ...some(sent === undefined, "it did not sum up"),
      ...some(
        received !== undefined && received !== answered,
        `it sums up ${received} answers of ${answered}`,
      ),
      ...some(known !== answered + lost.length, unbalanced({ sent: known, answered, lost: lost.length })),
      ...some(isSilent, `no ping was answered in ${lastSeconds}`),
    ].map((why) => `${told.name}: ${why}`),
  };
}

const lastSeconds = `its last ${LAST_MS / 1000} s`;

/** What is wrong with the way a program ended. */
export function endOf({ early, code, said, begun, ended }: Omit<Told, "name" | "ends" | "lines">): string[] {
  const after = early ? `by itself after ${Math.round((ended - begun) / 1000)} s ` : "";
  return some(early || code !== 0, `it ended ${after}with code ${code}${said === "" ? "" : `: ${said}`}`);
}

function unbalanced({ sent, answered, lost }: { sent: number; answered: number; lost: number }): string {
  return `${sent} were sent, ${answered} answered and ${lost} lost, which is not the same`;
}

function some(isSo: boolean, what: string): string[] {
  return isSo ? [what] : [];
}
