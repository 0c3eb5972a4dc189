/**
 * Checks of documents from outside. This is the only file that imports valibot, so that another schema
 * library (or its JSR copy) is a change of one file; the others use `v` and {@link check} from here.
 */
import * as v from "valibot";
import { invalid } from "./errors.ts";
import { quoted } from "./text.ts";

export { v };

/**
 * `value` as the schema's output. Otherwise throws `invalid` with every problem in one sentence, each with
 * its path and its value: `Cannot use /etc/flan/config.yaml: mtu is 99 but must be >=576`.
 */
export function check<T extends v.GenericSchema>(schema: T, value: unknown, where: string): v.InferOutput<T> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const problems = result.issues.slice(0, 5).map(problem).join("; ");
  const more = result.issues.length > 5 ? `; and ${result.issues.length - 5} more` : "";
  throw invalid("check", `Cannot use ${where}: ${problems}${more}`);
}

function problem(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue) ?? "the document";
  if (issue.expected === "never") return `${quotedKey(path)} is not a known key`;
  if (issue.received === "undefined") return `${quotedKey(path)} is missing`;
  return `${quotedKey(path)} is ${quoted(issue.input)} but ${issue.expected ?? "something else"} is needed`;
}

function quotedKey(path: string): string {
  return /^[\w.-]{1,80}$/.test(path) ? path : quoted(path);
}
