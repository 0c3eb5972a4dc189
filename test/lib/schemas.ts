/**
 * Documents against their schemas. Stricter than the schemas that `flan schema` prints: a field that none of them
 * names is an error here, so that no document gets one in secret.
 */
import Ajv2020 from "ajv";
import addFormats from "ajv-formats";
import { documents } from "../../cmd/schemas/documents.ts";
import type { Shape } from "../../cmd/schemas/shapes.ts";
import type { Json } from "../../net/json.ts";

type Check = ((value: unknown) => boolean) & { readonly errors?: unknown };

// Both are CommonJS, whose types hide their default export.
const Ajv = Ajv2020 as unknown as new (options: object) => { compile(schema: object): Check };
const withFormats = addFormats as unknown as <T>(ajv: T) => T;
const ajv = withFormats(new Ajv({ strict: true, allowUnionTypes: true, strictRequired: false }));

const checks = new Map<string, Check>();

/** The schema as it is printed, compiled. Throws where it is no valid schema. */
export function compile(shape: Shape): Check {
  return ajv.compile(shape);
}

/** Throws an error that names the fields where the document is not what the schema that it names says. */
export function requireValid(document: unknown): void {
  const title = (document as { schema?: unknown } | null)?.schema;
  const name = /^flan\.([a-z-]+)\/v1$/.exec(String(title))?.[1];
  if (name === undefined) {
    throw new Error(
      "A document names no schema; of which one it is a line, if it is, says test/cmd/schemas_test.ts",
    );
  }
  if (documents[name] === undefined) {
    throw new Error(
      `No schema is called ${String(title)}: add a file to cmd/schemas/ and a line to its documents.ts`,
    );
  }
  requireValidAs(name, document);
}

/** The same for a line of `-o jsonl` of the document `name`. */
export function requireValidLine(name: string, line: unknown): void {
  requireValidAs(name, line, "#/$defs/line");
}

/** The same for what does not say its name, such as `network-config`. */
export function requireValidAs(name: string, value: unknown, pointer: "" | "#/$defs/line" = ""): void {
  const key = `${name}${pointer}`;
  const check = checks.get(key) ?? compile(closed(partOf(documents[name]!, pointer)));
  checks.set(key, check);
  if (!check(value)) {
    throw new Error(`Not valid as ${key}: ${JSON.stringify(check.errors)}\n${JSON.stringify(value)}`);
  }
}

function partOf(shape: Shape, pointer: string): Shape {
  return pointer === "" ? shape : (shape["$defs"] as Shape)["line"] as Shape;
}

/** The schema with every object that has fields closed against others. */
function closed<T extends Json>(shape: T): T {
  if (Array.isArray(shape)) return shape.map(closed) as unknown as T;
  if (typeof shape !== "object" || shape === null) return shape;
  const parts = Object.fromEntries(Object.entries(shape).map(([key, part]) => [key, closed(part as Json)]));
  const isObject = typeof parts["properties"] === "object" && Array.isArray(parts["required"]);
  return (isObject ? { additionalProperties: false, ...parts } : parts) as unknown as T;
}
