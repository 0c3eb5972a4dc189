/** Text that came from outside, made safe for a terminal and bounded in length. */

// C0 and C1 controls, DEL, and the characters that reorder or hide text (Unicode bidi controls, zero width).
// deno-lint-ignore no-control-regex
const unsafe = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** `text` with everything a terminal would obey written out as `\u001b`, cut to `limit` characters. */
export function printable(text: string, limit = 200): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return cut.replace(unsafe, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Whether the text holds nothing that {@link printable} would write out. */
export function isPrintable(text: string): boolean {
  return text.search(unsafe) < 0;
}

/** `value` as it stands in an error message: JSON form, printable, cut to `limit` characters. */
export function quoted(value: unknown, limit = 80): string {
  let text: string;
  try {
    text = typeof value === "string" && value.length > limit
      ? JSON.stringify(value.slice(0, limit)) + "…"
      : JSON.stringify(value) ?? String(value);
  } catch {
    text = String(value);
  }
  return printable(text, limit + 8);
}
