/** The config file, YAML or JSON. The only file that imports js-yaml. */
import { invalid, messageOf, systemReason } from "../net/errors.ts";
import { quoted } from "../net/text.ts";
import { readTextFile } from "./text_file.ts";

/** Looked for in this order when `--config` names none; that none exists is fine. */
export const defaultFiles = ["/etc/flan/config.yaml", "/etc/flan/config.json"];

export interface ConfigFile {
  readonly file: string;
  readonly values: Map<string, unknown>;
}

/**
 * The mapping in the config file, or undefined where no file was named and none of the default ones exists.
 * Throws `invalid` with the file, and the line where the parser knows it.
 */
export async function readConfigFile(named: string | undefined): Promise<ConfigFile | undefined> {
  for (const file of named === undefined ? defaultFiles : [named]) {
    const text = read(file, named !== undefined);
    if (text !== undefined) return { file, values: await parse(text, file) };
  }
  return undefined;
}

function read(file: string, mustExist: boolean): string | undefined {
  try {
    return readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound && !mustExist) return undefined;
    throw invalid("config.file", `Cannot read config file ${file}: ${systemReason(error)}`);
  }
}

async function parse(text: string, file: string): Promise<Map<string, unknown>> {
  // Most hosts have no such file, and most commands are short.
  const { loadAll } = await import("yaml");
  let value: unknown;
  try {
    if (file.endsWith(".json")) JSON.parse(text);
    // JSON is YAML too, and the YAML parser does not let the second of two equal keys win unseen.
    const documents = loadAll(text);
    if (documents.length > 1) throw new TypeError(`it holds ${documents.length} documents, one is needed`);
    // A file of comments only holds none.
    value = documents[0];
  } catch (error) {
    const first = messageOf(error).split("\n")[0]!;
    throw invalid("config.file", `Cannot parse config file ${file}: ${first}`);
  }
  if (value === undefined || value === null) return new Map();
  if (typeof value !== "object" || Array.isArray(value)) {
    const what = Array.isArray(value) ? "a list" : quoted(value);
    throw invalid("config.file", `Cannot use config file ${file}: settings by name are needed, not ${what}`);
  }
  return new Map(Object.entries(value));
}
