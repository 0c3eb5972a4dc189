/** The config file, YAML or JSON. The only file that imports js-yaml. */
import { load } from "yaml";
import { FlanError, invalid, messageOf } from "../net/errors.ts";
import { quoted } from "../net/text.ts";

/** Looked for in this order when `--config` names none; that none exists is fine. */
export const defaultFiles = ["/etc/flan/config.yaml", "/etc/flan/config.json"];

const MAX_BYTES = 1 << 20;

/**
 * The mapping in the config file, or undefined where no file was named and none of the default ones exists.
 * Throws `invalid` with the file, and the line where the parser knows it.
 */
export function readConfigFile(
  named: string | undefined,
): { file: string; values: Map<string, unknown> } | undefined {
  for (const file of named === undefined ? defaultFiles : [named]) {
    const text = readBounded(file, named !== undefined);
    if (text !== undefined) return { file, values: parse(text, file) };
  }
  return undefined;
}

function readBounded(file: string, mustExist: boolean): string | undefined {
  try {
    const size = Deno.statSync(file).size;
    if (size > MAX_BYTES) {
      throw invalid("config.file", `Cannot use ${file}: it has ${size} bytes, at most ${MAX_BYTES} are read`);
    }
    return Deno.readTextFileSync(file);
  } catch (error) {
    if (error instanceof FlanError) throw error;
    if (error instanceof Deno.errors.NotFound && !mustExist) return undefined;
    throw invalid("config.file", `Cannot read config file ${file}: ${messageOf(error)}`);
  }
}

function parse(text: string, file: string): Map<string, unknown> {
  let value: unknown;
  try {
    value = file.endsWith(".json") ? JSON.parse(text) : load(text);
  } catch (error) {
    const first = messageOf(error).split("\n")[0]!;
    throw invalid("config.file", `Cannot parse config file ${file}: ${first}`);
  }
  if (value === undefined || value === null) return new Map();
  if (typeof value !== "object" || Array.isArray(value)) {
    throw invalid(
      "config.file",
      `Cannot use config file ${file}: a mapping is needed, but it is ${quoted(value)}`,
    );
  }
  return new Map(Object.entries(value));
}
