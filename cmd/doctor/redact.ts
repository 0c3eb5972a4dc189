/** Takes secrets out of what is handed to others: whatever looks like one, rather too much than too little. */
import type { Json } from "../../net/json.ts";

const GONE = "<redacted>";

/**
 * What a name has in it that stands for a secret, or for a command, which may hold any. Before the last colon are
 * those whose value may have spaces in it without being quoted.
 */
const SPACED = "pass|pwd|secret|credential|auth|cookie|command|(?<![a-z])pw(?![a-z])";
const WORDS = `${SPACED}|psk|token|key`;
/** The name of a file that holds a secret is none. */
const SECRET = new RegExp(WORDS, "i");
const FILE = /files?$/i;
const ending = String.raw`(?![\w.-]{0,64}files?(?![\w.-]))[\w.-]{0,64}`;

/** A value in quotes that may be escaped, with escaped quotes in it, and nothing that is stuck to its end. */
const quoted = String
  .raw`(?:"(?:\\[^]|[^"\\])*"|'[^']*'|\\"(?:\\\\(?:\\.|[^\\])|[^"\\])*\\")(?=$|[\s,:;)}\]])`;
/** With quotes that do not fit, nobody can tell where a value ends before its line does. */
const word = String.raw`${quoted}|(?=\\*["']).*|[^\s"']+`;

const patterns: readonly RegExp[] = [
  // NAME=value, NAME: value, "NAME":"value"; only the name's end is matched, as it may be of any length.
  pattern(`(authorization[ \\t]*[=:])(.*)`),
  pattern(`((?:${SPACED})${ending}(?:\\\\*["'])?\\s*[=:]\\s*)(${quoted}|.+)`),
  pattern(`((?:${WORDS})${ending}(?:\\\\*["'])?\\s*[=:]\\s*)(${word})`),
  // --name value
  pattern(`((?<=(?<![\\w-])--?[\\w-]{0,64})(?:${WORDS})${ending}[ \\t]+)(${word})`),
  // curl -u user:password
  pattern(`((?<![\\w-])(?:-u|--user|--proxy-user)[ \\t=]*)(${quoted}|[^\\s:]*:\\S+)`),
  pattern(`(\\b(?:sshpass|mysql\\w*|mariadb\\w*)\\b.{0,200}?\\s-p[ \\t]*)(${word})`),
  // What a network's own command is called by where it failed.
  pattern(`((?:exit code \\d+ of|ended by \\w+ of|was killed:)[ \\t])(${word})`),
];

function pattern(source: string): RegExp {
  return new RegExp(source, "gi");
}

/** One text: a log, what a program printed, a file. */
export function redact(text: string): string {
  const safe = text
    .replace(/-----BEGIN [^-]*-----[\s\S]*?(?:-----END [^-]*-----|$)/g, GONE)
    // A password may hold an @ itself, so the last one of the word counts.
    .replace(/(:\/\/)[^\s"'<>]{0,4000}@/g, `$1${GONE}@`)
    .replace(/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, `$1 ${GONE}`);
  return patterns.reduce((rest, one) => rest.replace(one, `$1${GONE}`), safe)
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

function without(value: Json): Json {
  if (typeof value === "string") return redact(value);
  if (Array.isArray(value)) return value.map((item) => without(item as Json));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map((
      [name, item],
    ) => [name, SECRET.test(name) && !FILE.test(name) ? GONE : without(item as Json)]),
  );
}
