/** What a command changed about one subnet, for people (a line) and for programs. */
import type { Json } from "../net/json.ts";
import { printable } from "../net/text.ts";
import { type Format, type FormatName, print, printJson, valueOf } from "./output.ts";

export const changeFormats: readonly FormatName[] = ["table", "json", "value"];

export interface Changed {
  readonly subnet: string;
  /** A stable word: `reserved`, `kept`, `removed`, `leased`, `released`, `revoked`, `same`. */
  readonly change: string;
  /** The line for a person. */
  readonly text: string;
  /** What stands there now. */
  readonly lease?: Json;
}

export function printChange(format: Format, { subnet, change, text, lease = null }: Changed): void {
  const document = { subnet, change, lease };
  if (format.kind === "json") printJson("lease-change", document);
  else print(format.kind === "value" ? valueOf(document, format.field) : printable(text, 2000));
}
