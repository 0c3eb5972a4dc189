/** What the demo shows of its checks, as text. */
import { shownTime } from "../ping_matrix.ts";
import { table } from "../output.ts";
import type { Cell, Matrix, Member } from "./checks.ts";

export function matrixText(members: readonly Member[], matrix: Matrix): string {
  const names = members.map((member) => member.subnet);
  const rows = matrix.map((row, i) => [names[i]!, ...row.map(cellText)]);
  return table(["FROM \\ TO", ...names], rows);
}

export function allReached(matrix: Matrix): boolean {
  return matrix.flat().every((cell) => cell === undefined || (cell.rtt !== undefined && cell.tcp));
}

function cellText(cell: Cell | undefined): string {
  if (cell === undefined) return "-";
  if (cell.rtt === undefined) return "LOST";
  return cell.tcp ? shownTime(cell.rtt) : `${shownTime(cell.rtt)} NO-TCP`;
}

/** Bytes a second, as both throughputs and their ratio. */
export function throughputText({ overlay, underlay }: { overlay: number; underlay: number }): string {
  const gigabits = (bytes: number) => (bytes * 8 / 1e9).toFixed(1);
  const share = Math.round(100 * overlay / underlay);
  return `${gigabits(overlay)} Gbit/s through the overlay, ${
    gigabits(underlay)
  } Gbit/s on the bare underlay (${share} %)`;
}
