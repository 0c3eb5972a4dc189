/** One plane measured once, each figure by itself: what one round adds to the table. */
import { iperf } from "../iperf.ts";
import { highestHeld, send } from "./packets.ts";
import type { Pair } from "./pair.ts";
import type { Plane } from "./plane.ts";
import { measured } from "./processor.ts";
import { idleRoundTrip, loadedRoundTrip, type RoundTrip } from "./round_trip.ts";

/** Gbit/s, packets a second and microseconds. What is not measured of a plane is not there. */
export interface Round {
  readonly tcp1: number;
  readonly tcp4?: number;
  /** Both directions at once, together. */
  readonly both?: number;
  readonly reverse?: number;
  /** Seconds that all processors of the machine worked for each gigabit of the one stream. */
  readonly work: number;
  /** Packets of 64 bytes: sent and delivered as many as go, and most with no more than 1 % missing. */
  readonly sent: number;
  readonly flood: number;
  readonly held: number;
  readonly idle?: RoundTrip;
  readonly loaded?: RoundTrip;
}

/** How long each measurement takes, seconds, and how exactly the held rate is searched. */
export interface Effort {
  readonly tcp: number;
  readonly flood: number;
  readonly step: number;
  readonly steps: number;
  readonly ping: number;
}

export const thorough: Effort = { tcp: 2, flood: 1, step: 0.3, steps: 5, ping: 0.8 };
export const quick: Effort = { tcp: 1, flood: 0.5, step: 0.2, steps: 3, ping: 0.5 };

/** A plane that stands. */
export interface Standing {
  readonly plane: Plane;
  readonly pair: Pair;
  /** Of `pair.to` in the plane. */
  readonly address: string;
}

export async function round(
  { plane, pair, address }: Standing,
  { effort, program }: { effort: Effort; program: string },
): Promise<Round> {
  const way = { from: pair.from, to: pair.to, address };
  const tcp = (...args: string[]) => iperf(pair, { ...way, args: ["--time", String(effort.tcp), ...args] });
  const one = await measured(() => tcp());
  const flooded = await send(pair, { program, address, rate: 0, seconds: effort.flood });
  const { step: seconds, steps } = effort;
  const rates = {
    tcp1: one.result,
    work: one.busy / (one.result * effort.tcp),
    sent: flooded.sent,
    flood: flooded.delivered,
    held: await highestHeld(pair, { program, address, flooded, seconds, steps }),
  };
  if (plane.measures === "rates") return rates;
  return {
    ...rates,
    tcp4: await tcp("--parallel", "4"),
    both: await tcp("--bidir"),
    reverse: await tcp("--reverse"),
    idle: await idleRoundTrip(pair, address, effort.ping),
    loaded: await loadedRoundTrip(pair, way, effort.ping),
  };
}
