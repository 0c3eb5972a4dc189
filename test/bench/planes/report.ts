/** The planes as tables: medians, ratios to the underlay and to vxlan, and the goals. */
import { print, table } from "../../../cmd/output.ts";
import { median } from "../statistics.ts";
import { type Goal, isMet, type Rounds } from "./goals.ts";
import type { Round } from "./round.ts";

interface Figure {
  readonly name: string;
  readonly of: (round: Round) => number | undefined;
  readonly text: (value: number) => string;
}

const gigabits = (value: number) => value.toFixed(value < 1 ? 2 : 1);
const thousands = (value: number) => `${Math.round(value / 1000)}k`;
const microseconds = (value: number) => value.toFixed(0);

const figures: readonly Figure[] = [
  { name: "TCP 1", of: ({ tcp1 }) => tcp1, text: gigabits },
  { name: "TCP 4", of: ({ tcp4 }) => tcp4, text: gigabits },
  { name: "BOTH", of: ({ both }) => both, text: gigabits },
  { name: "REVERSE", of: ({ reverse }) => reverse, text: gigabits },
  { name: "CPU S/GBIT", of: ({ work }) => work, text: (value) => value.toFixed(2) },
  { name: "FLOOD PPS", of: ({ flood }) => flood, text: thousands },
  { name: "1 % LOSS PPS", of: ({ held }) => held, text: thousands },
  { name: "RTT P50", of: ({ idle }) => idle?.p50, text: microseconds },
  { name: "P99", of: ({ idle }) => idle?.p99, text: microseconds },
  { name: "LOADED P50", of: ({ loaded }) => loaded?.p50, text: microseconds },
  { name: "P99", of: ({ loaded }) => loaded?.p99, text: microseconds },
];

const orNone = (value: number, text: (value: number) => string) => Number.isNaN(value) ? "-" : text(value);
const medianOf = (rounds: readonly Round[], { of }: Figure) => median(rounds.map((one) => of(one) ?? NaN));

/** Medians of the rounds. */
export function mediansTable(rounds: Rounds): string {
  return table(
    ["PLANE", ...figures.map(({ name }) => name)],
    Object.entries(rounds).map(([name, of]) => [
      name,
      ...figures.map((figure) => orNone(medianOf(of, figure), figure.text)),
    ]),
  );
}

/** Each plane's medians over those of `reference`. */
export function ratiosTable(rounds: Rounds, reference: string): string {
  const against = rounds[reference] ?? [];
  return table(
    [`OF ${reference.toUpperCase()}`, ...figures.map(({ name }) => name)],
    Object.entries(rounds).filter(([name]) => name !== reference).map(([name, of]) => [
      name,
      ...figures.map((figure) =>
        orNone(medianOf(of, figure) / medianOf(against, figure), (value) => value.toFixed(2))
      ),
    ]),
  );
}

export function goalsTable(goals: readonly Goal[]): string {
  const amount = (value: number, unit: Goal["unit"]) =>
    orNone(value, (known) => unit === "" ? known.toFixed(2) : `${known.toFixed(0)} ${unit}`);
  return table(
    ["GOAL", "WANTED", "FOUND", ""],
    goals.map((goal) => [
      goal.what,
      `${goal.most ? "at most" : "at least"} ${amount(goal.wanted, goal.unit)}`,
      amount(goal.found, goal.unit),
      isMet(goal) === undefined ? "not measured" : isMet(goal) ? "met" : "missed",
    ]),
  );
}

/** Prints everything that was found. */
export function report(
  { rounds, goals, notes }: { rounds: Rounds; goals: readonly Goal[]; notes: readonly string[] },
): void {
  const count = Math.max(0, ...Object.values(rounds).map((one) => one.length));
  print(`\ndata planes, each figure the median of ${count}, taken in alternation;`);
  print("TCP in Gbit/s, 64-byte UDP packets a second, round trips in µs\n");
  print(mediansTable(rounds));
  for (const reference of ["bare", "vxlan"]) {
    if (rounds[reference] !== undefined) print(`\n${ratiosTable(rounds, reference)}`);
  }
  print(`\n${goalsTable(goals)}\n`);
  for (const note of notes) print(note);
}
