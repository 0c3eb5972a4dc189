/** What flan's udp backend is to reach, as ratios in one run on two cores. */
import { median, quantile, ratio } from "../statistics.ts";
import type { Round } from "./round.ts";

/** The rounds of a plane by its name. */
export type Rounds = Readonly<Record<string, readonly Round[]>>;

export interface Goal {
  readonly what: string;
  /** NaN where something that it needs was not measured. */
  readonly found: number;
  readonly wanted: number;
  readonly most: boolean;
  readonly unit: "" | "µs" | "ms";
}

/** How near the rates with many routes must come to those with few: nearer than rounds are to one another. */
const SAME = 0.9;
const STOP_MS = 200;

/** Every goal with what was found. `stops` are the times that the proxy took to end, in milliseconds. */
export function goals(rounds: Rounds, stops: readonly number[]): Goal[] {
  const of = (plane: string, pick: (round: Round) => number | undefined) =>
    (rounds[plane] ?? []).map((round) => pick(round) ?? NaN);
  const against = (plane: string, reference: string, pick: (round: Round) => number | undefined) =>
    ratio(of(plane, pick), of(reference, pick));
  const least = (what: string, found: number, wanted: number): Goal => ({
    what,
    found,
    wanted,
    most: false,
    unit: "",
  });
  const most = (what: string, { found, wanted, unit }: Pick<Goal, "found" | "wanted" | "unit">): Goal => ({
    what,
    found,
    wanted,
    most: true,
    unit,
  });
  return [
    least("TCP, one stream, of vxlan", against("udp", "vxlan", ({ tcp1 }) => tcp1), 0.65),
    least("TCP, four streams, of vxlan", against("udp", "vxlan", ({ tcp4 }) => tcp4), 0.5),
    least("TCP, both directions, of vxlan", against("udp", "vxlan", ({ both }) => both), 0.55),
    least("64-byte packets under overload, of bare", against("udp", "bare", ({ flood }) => flood), 1),
    least("64-byte packets at 1 % loss, of bare", against("udp", "bare", ({ held }) => held), 0.8),
    most("round trip, idle, p50", {
      found: median(of("udp", ({ idle }) => idle?.p50)),
      wanted: 3 * median(of("bare", ({ idle }) => idle?.p50)) + 60,
      unit: "µs",
    }),
    least("TCP with 10,000 routes, of 10", against("udp 10,000", "udp", ({ tcp1 }) => tcp1), SAME),
    least("packets with 10,000 routes, of 10", against("udp 10,000", "udp", ({ flood }) => flood), SAME),
    most("stop in a flood, worst", { found: quantile(stops, 1), wanted: STOP_MS, unit: "ms" }),
  ];
}

/** Undefined where it was not measured. */
export function isMet({ found, wanted, most }: Goal): boolean | undefined {
  if (Number.isNaN(found) || Number.isNaN(wanted)) return undefined;
  return most ? found <= wanted : found >= wanted;
}
