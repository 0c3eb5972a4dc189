/** Round trips of 64-byte pings, on an idle way and beside a TCP stream that takes all it gets. */
import { iperf, type Way } from "../iperf.ts";
import { quantile } from "../statistics.ts";
import type { Pair } from "./pair.ts";

export interface RoundTrip {
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Share of the pings without an answer. */
  readonly lost: number;
}

/** 64 bytes of ICMP: 8 of them are its header. */
const PAYLOAD = 56;
/** Seconds between two pings: less would be a load of its own. */
const IDLE_INTERVAL = 0.005;
const LOADED_INTERVAL = 0.01;
/** Seconds that TCP has to find its rate before pings are counted. */
const HEAD_START = 0.3;

/** The round trips in what `ping -D` or `ping` prints, in microseconds. */
export function timesIn(text: string): number[] {
  return [...text.matchAll(/ time=([\d.]+) ms/g)].map(([, ms]) => Number(ms) * 1000);
}

async function pings(
  pair: Pair,
  { address, count, interval }: { address: string; count: number; interval: number },
): Promise<RoundTrip> {
  const argv = ["ping", "-n", "-i", `${interval}`, "-c", `${count}`, "-s", `${PAYLOAD}`, "-W", "1", address];
  const { stdout } = await pair.on(pair.from, argv);
  const times = timesIn(stdout);
  if (times.length === 0) throw new Error(`no answer to ${argv.join(" ")}`);
  return {
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    lost: 1 - Math.min(times.length, count) / count,
  };
}

export async function idleRoundTrip(pair: Pair, address: string, seconds: number): Promise<RoundTrip> {
  return await pings(pair, { address, count: Math.ceil(seconds / IDLE_INTERVAL), interval: IDLE_INTERVAL });
}

export async function loadedRoundTrip(pair: Pair, way: Way, seconds: number): Promise<RoundTrip> {
  const load = iperf(pair, { ...way, args: ["--time", String(seconds + 2 * HEAD_START)] });
  const begun = new Promise((resolve) => setTimeout(resolve, HEAD_START * 1000));
  const count = Math.ceil(seconds / LOADED_INTERVAL);
  const measuring = begun.then(() => pings(pair, { address: way.address, count, interval: LOADED_INTERVAL }));
  const [found] = await Promise.all([measuring, load]);
  return found;
}
