/** `flan routes explain` for people: as a table where it fits, or else hop by hop below one another. Pure. */
import type { Step } from "../kernel/explain/way.ts";
import { printable } from "../net/text.ts";
import { foldLine } from "./fold.ts";

export interface Remedy {
  readonly commands: readonly string[];
  /** What makes flan mend it, where it can. */
  readonly flan: string | undefined;
}

/** `columns` is the terminal's width, 0 for a pipe, in which nothing is folded. */
export function explainScreen(steps: readonly Step[], remedy: Remedy | undefined, columns: number): string {
  const shown = steps.map((step) => ({ ...step, text: printable(step.text, 400) }));
  const widths = {
    what: widest(shown.map(({ what }) => what)),
    state: widest(shown.map(({ state }) => state)),
    text: widest(shown.map(({ text }) => text)),
  };
  const indent = " ".repeat(widths.what + widths.state + 4);
  const wide = shown.flatMap(({ what, state, text, note, prove }) => {
    const cells = [
      what.padEnd(widths.what),
      state.padEnd(widths.state),
      text.padEnd(widths.text),
      prove ?? "",
    ];
    return [cells.join("  ").trimEnd(), ...(note === undefined ? [] : [`${indent}${printable(note, 2000)}`])];
  });
  const isTight = columns > 0 && wide.some((line) => line.length > columns);
  const lines = isTight ? shown.flatMap((step) => folded(step, { width: widths.what, columns })) : wide;
  return [...lines, ...remedyLines(remedy)].join("\n");
}

function folded(
  { what, state, text, note, prove }: Step,
  { width, columns }: { width: number; columns: number },
): string[] {
  return [
    `${what.padEnd(width)}  ${state}`,
    foldLine(`  ${text}`, columns),
    ...(note === undefined ? [] : [foldLine(`  ${printable(note, 2000)}`, columns)]),
    ...(prove === undefined ? [] : [`  $ ${prove}`]),
  ];
}

function remedyLines(remedy: Remedy | undefined): string[] {
  if (remedy === undefined) return [];
  const { commands, flan } = remedy;
  const lines = commands.map((line) => printable(line, 2000));
  if (flan === undefined) {
    if (lines.length === 0) return [];
    return lines.length === 1 ? [`repair: ${lines[0]}`] : ["repair:", ...lines.map((line) => `  ${line}`)];
  }
  if (lines.length === 0) return [`repair: ${flan}`];
  if (lines.length === 1) return [`repair: ${lines[0]}    (or: ${flan})`];
  return [`repair: ${flan}    (or:)`, ...lines.map((line) => `  ${line}`)];
}

function widest(texts: readonly string[]): number {
  return texts.reduce((most, { length }) => Math.max(most, length), 0);
}
