/**
 * Answers that must not change. `GOLDEN=write deno test -A test/cli` writes them anew; what then differs is a
 * change that users see, and belongs into the commit that makes it.
 */
import assert from "node:assert/strict";
import { fixturePath } from "./sandbox.ts";

const writing = Deno.env.get("GOLDEN") === "write";

/** Compares text with `fixtures/<path>`. */
export function assertGolden(path: string, actual: string): void {
  const file = fixturePath(path);
  if (writing) {
    Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(file, actual);
  }
  assert.equal(actual, Deno.readTextFileSync(file), `differs from fixtures/${path}`);
}

/** Compares a JSON document, or lines of them, with `fixtures/json/v1/<name>.json`. */
export function assertGoldenJson(
  name: string,
  text: string,
  hide: Readonly<Record<string, string>> = {},
): void {
  const documents = parse(text).map((document) => stable(document, hide));
  const pretty = documents.map((document) => `${JSON.stringify(document, null, 2)}\n`).join("");
  assertGolden(`json/v1/${name}.json`, pretty);
}

/** One document over several lines, or one on each line. */
function parse(text: string): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch {
    return text.trimEnd().split("\n").map((line) => JSON.parse(line));
  }
}

/** The same document with what differs from run to run named instead: times, processes, directories. */
function stable(value: unknown, hide: Readonly<Record<string, string>>, key = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => stable(item, hide));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, stable(item, hide, name)]));
  }
  if (key === "pid" && typeof value === "number") return "<number>";
  if (typeof value !== "string") return value;
  // The end of a lease in the fixture is the same every time.
  if (/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) && !value.startsWith("2100-")) return "<time>";
  return hidden(value, hide);
}

/** `text` with every key of `hide` replaced by its value. */
export function hidden(text: string, hide: Readonly<Record<string, string>>): string {
  return Object.entries(hide).reduce((rest, [what, name]) => rest.replaceAll(what, name), text);
}
