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

/**
 * `value` as it stands in an error message: JSON form, printable, cut to `limit` characters. No more of the value is
 * looked at than is shown, so that a large one costs no more than a small one.
 */
export function quoted(value: unknown, limit = 80): string {
  return printable(beginning(value, limit), limit + 8);
}

/** The JSON form, up to some characters beyond `limit`. */
function beginning(value: unknown, limit: number): string {
  if (limit <= 0) return "";
  if (typeof value === "string") {
    return JSON.stringify(value.slice(0, limit)) + (value.length > limit ? "…" : "");
  }
  if (typeof value !== "object" || value === null) return String(value);
  const isArray = Array.isArray(value);
  let text = isArray ? "[" : "{";
  for (const name of isArray ? value.keys() : Object.keys(value)) {
    if (text.length > limit) return text;
    if (text.length > 1) text += ",";
    if (!isArray) text += `${beginning(name, limit)}:`;
    text += beginning((value as Record<PropertyKey, unknown>)[name], limit - text.length);
  }
  return text + (isArray ? "]" : "}");
}
