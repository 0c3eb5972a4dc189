/** What a person sees of `flan ping --all`: rows from, columns to, and a line below for whatever is not well. Pure. */
import type { Ping } from "../agent/probing/ping.ts";
import { table } from "./output.ts";

export type Measured = Exclude<Ping, { readonly none: unknown }>;
type Pair = Measured["items"][number];

/** More hosts than these are a list: nobody follows so many columns. */
const MOST_COLUMNS = 24;

/**
 * The matrix, or undefined where it is not for `columns` of a terminal (0 for a pipe, which has room for anything that a
 * person can follow); in dual stack one for each family. Each cell is a round-trip time in milliseconds, or a word.
 */
export function matrix({ hosts, items }: Measured, columns: number): string | undefined {
  const families = [...Map.groupBy(hosts, ({ family }) => family).values()];
  const squares = families.map((some) => square({ hosts: some, items }, columns));
  return squares.every((one) => one !== undefined) ? squares.join("\n\n") : undefined;
}

function square({ hosts, items }: Pick<Measured, "hosts" | "items">, columns: number): string | undefined {
  if (hosts.length > MOST_COLUMNS) return undefined;
  const cells = new Map(items.map((pair) => [`${pair.from} ${pair.to}`, cellOf(pair)]));
  const names = ["FROM", "", ...hosts.map((_, i) => `TO ${i + 1}`)];
  const rows = hosts.map((from, i) => [
    String(i + 1),
    from.subnet,
    ...hosts.map((to) => from === to ? "-" : cells.get(`${from.subnet} ${to.subnet}`) ?? "?"),
  ]);
  const text = table(names, rows, 0);
  const width = Math.max(...text.split("\n").map((line) => line.length));
  return columns > 0 && width > columns ? undefined : text;
}

/** One pair in as few letters as possible. */
export function cellOf({ state, sent, received, rttMs }: Pair): string {
  switch (state) {
    case "ok":
      return shownTime(rttMs!.avg);
    case "lossy":
      return `${Math.round(100 * (sent! - received!) / sent!)}%`;
    case "one-way":
      return "no-reply";
    case "unknown":
      return "?";
    default:
      return state;
  }
}

/** Milliseconds with about two digits. */
export function shownTime(ms: number): string {
  return ms < 1 ? ms.toFixed(2) : ms < 10 ? ms.toFixed(1) : ms.toFixed(0);
}

/** A line for each pair that is not well, and for each host that was measured in another way than the others. */
export function notes({ hosts, items }: Measured): string[] {
  const echoed = new Set(items.filter(({ how }) => how === "icmp").map(({ to }) => to));
  return [
    ...items.flatMap(({ state, code, message }) =>
      message === null ? [] : [`${code === null ? "-" : "!"} ${code ?? state}  ${message}`]
    ),
    ...hosts.filter(({ subnet }) => echoed.has(subnet)).map(({ subnet, row }) =>
      `- icmp  ${subnet} was measured by ICMP echoes: ${
        row === "no-flan" ? "it is no flan host" : "its agent does not answer probes"
      }`
    ),
    ...hosts.filter(({ row }) => Object.hasOwn(unasked, row)).map(({ subnet, row }) =>
      `! ${row}  ${subnet} did not measure: ${unasked[row]}`
    ),
  ];
}

const unasked: Readonly<Record<string, string>> = {
  silent:
    "no answer came from it; either no agent runs there, or a packet filter on the way drops what it is asked " +
    "(flan doctor there)",
  busy: "it measures for others all the time",
  refused: "it has too many peers",
};
