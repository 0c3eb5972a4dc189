/** What a flan of the demo's hosts said before it failed, as an error of this one. Pure. */
import { errorCodeOf } from "../exit.ts";
import { FlanError } from "../../net/errors.ts";
import type { Outcome } from "./shell.ts";

const SPEAKER = "flan: ";
const HINT = "hint: ";

/** An error with the sentence, the hint and the exit code of the other one; its log before that is not repeated. */
export function failureOf(what: string, { code, stderr }: Pick<Outcome, "code" | "stderr">): FlanError {
  const lines = stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const after = (start: string) => lines.findLast((line) => line.startsWith(start))?.slice(start.length);
  const sentence = after(SPEAKER) ?? (lines.join("; ") || `exit code ${code}`);
  return new FlanError(`${what}: ${sentence}`, { op: "demo", code: errorCodeOf(code), hint: after(HINT) });
}
