/** What a check found, worst first, and what that makes of the exit code. */
import type { Json } from "../net/json.ts";
import { printable } from "../net/text.ts";
import { exit } from "./exit.ts";
import { type Column, folded, type Format, print, printList } from "./output.ts";

export interface Finding {
  readonly code: string;
  readonly severity: "warning" | "high";
  readonly message: string;
  readonly hint?: string | undefined;
  readonly subnet?: string;
}

interface Findings {
  /** The schema's name. */
  readonly schema: string;
  readonly items: readonly Finding[];
  /** What a person reads where nothing is wrong. */
  readonly empty: string;
  readonly extra: Readonly<Record<string, Json>>;
}

/** Prints the findings and returns the exit code: 3 where one of them is severe, as `flan status` does. */
export function printFindings(format: Format, { items, ...listing }: Findings, header = false): number {
  if (format.kind === "table") {
    if (items.length === 0) console.error(listing.empty);
    else print(items.flatMap(lines).join("\n"));
  } else printList(format, { items, columns, tsv: columns, json: document, ...listing }, header);
  return items.some(({ severity }) => severity === "high") ? exit.no : exit.done;
}

function lines({ code, severity, message, hint }: Finding): string[] {
  const mark = severity === "high" ? "!" : "-";
  const first = folded(`${mark} ${code}  ${printable(message, 2000)}`);
  return hint === undefined ? [first] : [first, `    ${printable(hint, 400)}`];
}

const columns: readonly Column<Finding>[] = [
  { name: "SUBNET", cell: ({ subnet }) => subnet },
  { name: "CODE", cell: ({ code }) => code },
  { name: "SEVERITY", cell: ({ severity }) => severity },
  { name: "MESSAGE", cell: ({ message }) => message },
  { name: "HINT", cell: ({ hint }) => hint },
];

function document({ code, severity, message, hint, subnet }: Finding): Readonly<Record<string, Json>> {
  return { code, severity, ...(subnet === undefined ? {} : { subnet }), message, hint: hint ?? null };
}
