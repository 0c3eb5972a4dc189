/** Measures how packets get through to one host: loss, round-trip times, and the largest that passes. */
import type { Clock } from "../net/clock.ts";
import { familyOf } from "../net/ip.ts";
import type { Exchange, Outcome } from "./exchange.ts";
import { type Result, SMALLEST_PROBE } from "./packet.ts";
import { findPathMtu, type PathMtu } from "./path_mtu.ts";

const COUNT = 5;
const EVERY_MS = 100;
/** How long a reply may take before it counts as lost. */
export const PATIENCE_MS = 1000;
/** How often a size is tried before it counts as too large, and how long a reply to it may take at least. */
const TRIES = 3;
const TRY_EVERY_MS = 20;
const LEAST_PATIENCE_MS = 250;

/** A host that is measured. */
export interface Target {
  readonly address: string;
  /** Whether it is flan's, so that probes are answered, and each direction can be measured for itself. */
  readonly isFlan: boolean;
}

export interface Tools {
  readonly exchange: Exchange;
  readonly clock: Clock;
  /** The overlay's MTU on this host: the largest packet that it sends. */
  readonly mtu: number;
  /** The path MTU that the kernel was told for an address, or 0. */
  readonly toldMtu: (address: string) => Promise<number>;
}

/** A result, with what kept packets from being sent. */
export interface Measurement extends Result {
  /** The errno name. */
  readonly error?: string | undefined;
}

/** Takes half a second where all is well, and two seconds more for each kind of packet that nobody answers. */
export async function measure(target: Target, round: number, tools: Tools): Promise<Measurement> {
  const { address } = target;
  let how: Result["how"] = target.isFlan ? "udp" : "icmp";
  let outcomes = await burst(address, { how, round }, tools);
  if (target.isFlan && timesOf(outcomes).length === 0) {
    const echoes = await burst(address, { how: "icmp", round }, tools);
    if (timesOf(echoes).length > 0) [how, outcomes] = ["icmp", echoes];
  }
  const times = timesOf(outcomes);
  const counted = {
    address,
    how,
    sent: COUNT,
    received: times.length,
    heard: 0,
    error: outcomes.find(({ error }) => error !== undefined)?.error,
  };
  if (times.length === 0) return { ...counted, fastest: 0, average: 0, slowest: 0, mtu: 0, tooLarge: 0 };
  const slowest = Math.max(...times);
  return {
    ...counted,
    fastest: Math.min(...times) * 1000,
    average: times.reduce((sum, ms) => sum + ms, 0) / times.length * 1000,
    slowest: slowest * 1000,
    ...await pathMtu(address, { how, slowest }, tools),
  };
}

/**
 * The path MTU to a host that answers. What the kernel was told of is no hole: it tells the senders in turn, and only
 * this host's probes pass that over.
 */
export async function pathMtu(
  address: string,
  { how, slowest }: { how: Result["how"]; slowest: number },
  tools: Tools,
): Promise<PathMtu> {
  const { mtu, toldMtu } = tools;
  const smallest = SMALLEST_PROBE[familyOf(address)];
  const found = await findPathMtu(
    { smallest, largest: mtu },
    (size) => passes(address, { how, size, slowest }, tools),
  );
  if (found.tooLarge === 0) return found;
  const told = await toldMtu(address);
  return told > 0 && told <= found.mtu ? { ...found, tooLarge: 0 } : found;
}

async function passes(
  address: string,
  { how, size, slowest }: { how: Result["how"]; size: number; slowest: number },
  { exchange, clock }: Tools,
): Promise<boolean> {
  const within = Math.min(PATIENCE_MS, Math.max(LEAST_PATIENCE_MS, 3 * slowest));
  const first = Promise.withResolvers<boolean>();
  let isOver = false;
  first.promise.then(() => isOver = true);
  const one = async (delay: number) => {
    await clock.sleep(delay);
    if (isOver) return;
    const { ms } = await exchange.probe(address, { how, size, round: 0, within });
    if (ms !== undefined) first.resolve(true);
  };
  // The first reply decides; only a size that gets none waits for all.
  const tries = Array.from({ length: TRIES }, (_, i) => one(i * TRY_EVERY_MS));
  Promise.all(tries).then(() => first.resolve(false));
  return await first.promise;
}

async function burst(
  address: string,
  { how, round }: { how: Result["how"]; round: number },
  { exchange, clock }: Tools,
): Promise<Outcome[]> {
  const size = SMALLEST_PROBE[familyOf(address)];
  const outcomes: Promise<Outcome>[] = [];
  for (let i = 0; i < COUNT; i++) {
    if (i > 0) await clock.sleep(EVERY_MS);
    outcomes.push(exchange.probe(address, { how, size, round, within: PATIENCE_MS }));
  }
  return await Promise.all(outcomes);
}

function timesOf(outcomes: readonly Outcome[]): number[] {
  return outcomes.flatMap(({ ms }) => ms === undefined ? [] : [ms]);
}
