/** Everything that goes between the hosts of the soak: TCP with checksums, numbered datagrams and pings, in a ring. */
import type { HostProcess } from "../lib/host_process.ts";
import type { Hosts, Member } from "../lib/hosts.ts";
import { flowFile, type FlowNews } from "./flow.ts";
import { lostPings } from "./windows.ts";

const PORT = "7007";
const PING_MS = 100;

/** All that came of it. Times are milliseconds since 1970. */
export interface Carried {
  readonly datagrams: number;
  readonly pings: number;
  /** When each datagram and ping was sent that was not answered. */
  readonly lost: readonly number[];
  readonly late: number;
  readonly duplicates: number;
  readonly damaged: number;
  readonly blocks: number;
  readonly wrong: number;
  readonly gigabytes: number;
  readonly broken: readonly { readonly at: number; readonly why: string }[];
  /** Milliseconds until the checksum of a block came back. */
  readonly slowest: number;
}

export class Traffic {
  readonly #flows: readonly HostProcess[];
  readonly #pings: readonly HostProcess[];

  private constructor(flows: readonly HostProcess[], pings: readonly HostProcess[]) {
    this.#flows = flows;
    this.#pings = pings;
  }

  /** Each member sends to the next one, and pings the one before; resolves when all of it flows. */
  static async start(hosts: Hosts, members: readonly Member[], seed: number): Promise<Traffic> {
    const run = [Deno.execPath(), "run", "--quiet", "--allow-all", "--no-check", flowFile];
    await Promise.all(
      members.map(({ host, container }) =>
        hosts.start(host, [...run, "serve", container, PORT]).out.line(/^serving$/)
      ),
    );
    const at = (i: number) => members.at(i % members.length)!;
    const flows = members.map(({ host }, i) =>
      hosts.start(host, [...run, "flow", at(i + 1).container, PORT, String(seed + i)])
    );
    const pings = members.map(({ host, container }, i) => {
      const ping = ["ping", "-n", "-D", "-i", String(PING_MS / 1000), "-I", container];
      return hosts.start(host, [...ping, at(i - 1).container]);
    });
    await Promise.all([
      ...flows.map(({ out }) => out.line(/"answered":[1-9].*"blocks":[1-9]/)),
      ...pings.map(({ out }) => out.line(/icmp_seq=3 /)),
    ]);
    return new Traffic(flows, pings);
  }

  /** Ends the pings, and tells what came of everything so far. */
  async end(): Promise<Carried> {
    await Promise.all(this.#pings.map((ping) => ping.end("SIGINT")));
    const pings = this.#pings.map(({ out }) => out.lines);
    const news = this.#flows.flatMap(({ out }) => out.lines.map((line) => JSON.parse(line) as FlowNews));
    return carried(news, pings);
  }
}

/** Sums up what flows told, and what pings printed. */
export function carried(news: readonly FlowNews[], pings: readonly (readonly string[])[]): Carried {
  const sum = (of: (one: FlowNews) => number) => news.reduce((all, one) => all + of(one), 0);
  return {
    datagrams: sum(({ sent }) => sent),
    pings: pings.reduce((all, lines) => all + sentPings(lines), 0),
    lost: [...news.flatMap(({ lost }) => lost), ...pings.flatMap((lines) => lostPings(lines, PING_MS))],
    late: sum(({ late }) => late),
    duplicates: sum(({ duplicates }) => duplicates),
    damaged: sum(({ damaged }) => damaged),
    blocks: sum(({ blocks }) => blocks),
    wrong: sum(({ wrong }) => wrong),
    gigabytes: sum(({ bytes }) => bytes) / 1e9,
    broken: news.flatMap(({ broken }) => broken),
    slowest: news.reduce((most, { slowest }) => Math.max(most, slowest), 0),
  };
}

function sentPings(lines: readonly string[]): number {
  const summary = lines.findLast((line) => line.includes("packets transmitted"));
  return Number(/^(\d+) packets transmitted/.exec(summary ?? "")?.[1] ?? 0);
}
