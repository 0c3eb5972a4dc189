/** Takes secrets out of what is handed to others: whatever looks like one, rather too much than too little. */
import type { Json } from "../../net/json.ts";

const GONE = "<redacted>";

/** Names of what is secret; the name of a file that holds a secret is none. */
const SECRET = /psk|passw|secret|token|private.?key|api.?key|credential|authorization/i;
const FILE = /file$/i;

/** A name, a separator, and a value that is quoted or ends at a space; the quotes may be escaped. */
const assignment = /([\w.-]+)((?:\\?")?\s*[=:]\s*)(\\?"[^"]*"|'[^']*'|[^\s"']+)/g;
const flag = /(--[\w-]+)(\s+)("[^"]*"|'[^']*'|[^\s"']+)/g;

/** One text: a log, what a program printed, a file. */
export function redact(text: string): string {
  return text
    .replace(/-----BEGIN [^-]*-----[\s\S]*?(?:-----END [^-]*-----|$)/g, GONE)
    // A password may hold an @ itself, so the last one of the word counts.
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s"'<>]*@/gi, `$1${GONE}@`)
    .replace(/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, `$1 ${GONE}`)
    .replace(assignment, withoutValue)
    .replace(flag, withoutValue)
    // A key of 32 bytes, as WireGuard writes them (base64).
    .replace(/(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}=/g, GONE);
}

/** A JSON document, in which names say what is secret whatever its value is; other text as {@link redact} does. */
export function redactDocument(text: string): string {
  let document: Json;
  try {
    document = JSON.parse(text) as Json;
  } catch {
    return redact(text);
  }
  return `${JSON.stringify(without(document), null, 2)}\n`;
}

function isSecret(name: string): boolean {
  return SECRET.test(name) && !FILE.test(name);
}

function withoutValue(whole: string, name: string, separator: string): string {
  return isSecret(name) ? `${name}${separator}${GONE}` : whole;
}

function without(value: Json): Json {
  if (typeof value === "string") return redact(value);
  if (Array.isArray(value)) return value.map((item) => without(item as Json));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, isSecret(name) ? GONE : without(item as Json)]),
  );
}
