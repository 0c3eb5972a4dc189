/** All that came of the traffic of a soak. */
import type { FlowNews } from "./flow.ts";
import { endOf, type Flow, flowOf, pingsOf, type Told } from "./flows.ts";
import type { Loss } from "./windows.ts";

/** Sums of all flows. Times are milliseconds since 1970. */
export interface Carried {
  /** Datagrams and pings that were sent. */
  readonly datagrams: number;
  readonly pings: number;
  /** Each datagram and ping that was not answered. */
  readonly lost: readonly Loss[];
  readonly late: number;
  readonly duplicates: number;
  readonly damaged: number;
  readonly blocks: number;
  readonly wrong: number;
  readonly gigabytes: number;
  readonly broken: readonly { readonly at: number; readonly why: string }[];
  /** Milliseconds until the checksum of a block came back. */
  readonly slowest: number;
  /** What is wrong with single flows, and with programs that ended too early. */
  readonly complaints: readonly string[];
}

/** Sums up what programs told, after all of them have ended. */
export function carried(
  told: { servers: readonly Told[]; flows: readonly Told[]; pings: readonly Told[] },
): Carried {
  const flows = told.flows.map((one) => ({ one, news: newsIn(one.lines) }));
  const news = flows.flatMap((one) => one.news);
  const sum = (of: (one: FlowNews) => number) => news.reduce((all, one) => all + of(one), 0);
  const pings = told.pings.map(pingsOf);
  const all: Flow[] = [...flows.map((one) => flowOf(one.one, one.news)), ...pings];
  return {
    datagrams: sum(({ sent }) => sent),
    pings: pings.reduce((many, { sent }) => many + sent, 0),
    lost: all.flatMap(({ lost, ends }) => lost.map((at) => ({ at, ends }))),
    late: sum(({ late }) => late),
    duplicates: all.reduce((many, { duplicates }) => many + duplicates, 0),
    damaged: sum(({ damaged }) => damaged),
    blocks: sum(({ blocks }) => blocks),
    wrong: sum(({ wrong }) => wrong),
    gigabytes: sum(({ bytes }) => bytes) / 1e9,
    broken: news.flatMap(({ broken }) => broken),
    slowest: news.reduce((most, { slowest }) => Math.max(most, slowest), 0),
    complaints: [
      // Servers are ended by a signal that gives them a code of its own.
      ...told.servers.filter(({ early }) => early).flatMap((one) =>
        endOf(one).map((why) => `${one.name}: ${why}`)
      ),
      ...all.flatMap(({ complaints }) => complaints),
    ],
  };
}

/** One that was killed may have begun a line; its end is an error already. */
function newsIn(lines: readonly string[]): FlowNews[] {
  return lines.filter((line) => line.startsWith("{") && line.endsWith("}")).map((line) => JSON.parse(line));
}
