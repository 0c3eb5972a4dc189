/** What must hold of a soak, and what was found. */
import type { Carried } from "./carried.ts";
import type { Silence } from "./control.ts";
import type { Growth } from "./samples.ts";
import type { Losses } from "./windows.ts";

export interface Found {
  readonly carried: Carried;
  readonly losses: Losses;
  /** Control requests. */
  readonly sent: number;
  readonly answered: number;
  readonly unexplained: readonly Silence[];
  readonly growths: readonly Growth[];
  /** What was not whole again in time, and routes that did not come to agree with the store. */
  readonly failures: readonly string[];
}

/** Every invariant that is broken, in words; none where all is well. */
export function broken({ carried, losses, unexplained, growths, failures }: Found): string[] {
  const time = (at: number) => new Date(at).toISOString();
  return [
    ...Object.entries(losses.unexplained).map(([cause, count]) =>
      `${count} packets were lost at a time of: ${cause}`
    ),
    ...some(carried.damaged, "datagrams came back damaged"),
    ...some(carried.duplicates, "answers came that nobody waited for"),
    ...some(carried.wrong, "TCP blocks arrived damaged"),
    ...carried.complaints,
    ...carried.broken.map(({ at, why }) => `a TCP connection broke at ${time(at)}: ${why}`),
    ...unexplained.map(({ who, at, outcome, why }) =>
      `a control request to ${who} was ${outcome === "absent" ? "refused" : "lost"} at ${time(at)}: ${why}`
    ),
    ...growths.filter(({ isLeaking }) => isLeaking).map(({ who, pid, gained, seconds, descriptors }) =>
      `${who} (process ${pid}) leaks: ${gained.toFixed(1)} MB in ${Math.round(seconds)} s, descriptors ${
        descriptors.join(" to ")
      }`
    ),
    ...failures,
  ];
}

function some(count: number, what: string): string[] {
  return count > 0 ? [`${count} ${what}`] : [];
}
