/** How text for people fits a narrow terminal: lines go on below, and nothing that they say disappears. Pure. */

/** How far in a line goes on that has no place of its own for it. */
const INDENT = 4;

/**
 * A line, and what of it a terminal of so many columns has no room for below it, broken between words. It goes on where its
 * text begins: after its label, as in `store   file:…`. 0 columns stand for a pipe, in which nothing is folded; a word that
 * is longer than a line is left to the terminal.
 */
export function foldLine(line: string, columns: number): string {
  if (columns <= 0 || line.length <= columns) return line;
  const hanging = hangingOf(line, columns);
  const [, lead = ""] = /^( *)/.exec(line)!;
  const lines: string[] = [];
  let current = lead;
  let isFresh = true;
  for (const [, gap = "", word = ""] of line.slice(lead.length).matchAll(/( *)([^ ]+)/g)) {
    const next = isFresh ? current + word : `${current}${gap}${word}`;
    // Nothing stands alone beside an empty place: a long word begins beside its label all the same.
    const isLabel = gap.length > 1 && current.length + gap.length === hanging;
    if (!isFresh && !isLabel && next.length > columns) {
      lines.push(current);
      current = " ".repeat(hanging) + word;
    } else current = next;
    isFresh = false;
  }
  return [...lines, current].join("\n");
}

/** The same of several lines. */
export function foldLines(text: string, columns: number): string {
  return text.split("\n").map((line) => foldLine(line, columns)).join("\n");
}

/** Where its text begins, unless that leaves it less than half of the line. */
function hangingOf(line: string, columns: number): number {
  const label = /^ *[^ ]+( [^ ]+)? {2,}/.exec(line)?.[0].length;
  const lead = /^ */.exec(line)![0].length;
  const at = label ?? lead + (lead > 0 ? 0 : INDENT);
  return at > columns / 2 ? Math.min(lead + INDENT, INDENT) : at;
}

/** The columns of a table that stand on one line. */
type Group = readonly number[];

/**
 * Rows of columns that are too wide together: the columns that have no room go on below, further in, in every row alike,
 * the line of names included. `widths` are those of the columns.
 */
export function foldTable(
  rows: readonly (readonly string[])[],
  { widths, columns }: { widths: readonly number[]; columns: number },
): string[] {
  const groups = groupsOf(widths, columns);
  return rows.flatMap((row) =>
    groups.map((group, i) => {
      const cells = group.map((at) => row[at]!.padEnd(widths[at]!)).join("  ").trimEnd();
      return foldLine(i === 0 ? cells : `${" ".repeat(INDENT)}${cells}`, columns);
    })
  );
}

function groupsOf(widths: readonly number[], columns: number): readonly Group[] {
  const groups: number[][] = [[]];
  let used = 0;
  widths.forEach((width, i) => {
    const group = groups.at(-1)!;
    if (group.length > 0 && used + 2 + width > columns) {
      groups.push([i]);
      used = INDENT + width;
    } else {
      used += width + (group.length > 0 ? 2 : 0);
      group.push(i);
    }
  });
  return groups;
}
