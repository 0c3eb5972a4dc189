/** What a check finds. */
import { factsOf, type HealthCode, type Severity } from "../agent/health/codes.ts";

export interface Diagnosis {
  /** A health code, or a code of `flan lease check` and `flan store check`. */
  readonly code: string;
  readonly severity: Severity;
  /** What it concerns: a link, a file, a subnet; "" for the host as a whole. */
  readonly subject: string;
  /** One sentence, in the grammar of errors. */
  readonly message: string;
  /** The command that mends it. */
  readonly remedy: string;
}

/** A finding with the severity of its code, and its own remedy or else the code's. */
export function diagnosis(
  code: HealthCode,
  { subject, message, remedy }: { subject: string; message: string; remedy?: string | undefined },
): Diagnosis {
  const facts = factsOf(code);
  return { code, severity: facts.severity, subject, message, remedy: remedy ?? facts.remedy };
}
