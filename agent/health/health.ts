/** The problems of now. Every degradation has a code that does not change; see `codes.ts`. */
import type { FlanError } from "../../net/errors.ts";
import type { Logger } from "../../net/log.ts";
import { causeOf, factsOf, type HealthCode, healthCodes, type Severity } from "./codes.ts";

/** A problem as whoever finds it tells it. */
export interface Found {
  readonly code: HealthCode;
  /** What it concerns: a subnet, a link, a file. */
  readonly subject: string;
  readonly message: string;
}

/** Everything that is known now under `codes`. */
export interface Judgement {
  readonly codes: readonly HealthCode[];
  readonly found: readonly Found[];
}

export interface Problem extends Found {
  readonly severity: Severity;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** The code that is there now, too, and that this one follows from. */
  readonly because: HealthCode | undefined;
}

/** What keeps the store from being used; one of them at a time. */
export const storeCodes: readonly HealthCode[] = [
  "store-unreachable",
  "store-bad-reply",
  "store-denied",
  "store-damaged",
  "store-read-only",
];

/** The health code of an error of the store. */
export function storeCode({ code }: FlanError): HealthCode {
  switch (code) {
    case "store-reply":
      return "store-bad-reply";
    case "store-denied":
    case "store-damaged":
      return code;
    default:
      return "store-unreachable";
  }
}

/** What a conflict with somebody else's object can be called. */
export const foreignCodes = (Object.keys(healthCodes) as HealthCode[]).filter((code) =>
  code.startsWith("foreign-")
);

/** The problems of now. Logs each when it begins and when it ends, and never in between. */
export class Health {
  readonly #problems = new Map<string, Omit<Problem, "because">>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /**
   * Replaces everything known under `codes` with `found`. A problem that was there before keeps its `since`.
   */
  set(codes: readonly HealthCode[], found: readonly Found[], now: number): void {
    const before = new Map(this.#problems);
    const keep = new Set(found.map(keyOf));
    const over = [...before.values()].filter((one) => codes.includes(one.code) && !keep.has(keyOf(one)));
    for (const one of over) this.#problems.delete(keyOf(one));
    for (const { code, subject, message } of found) {
      const key = keyOf({ code, subject });
      const since = before.get(key)?.since ?? now;
      this.#problems.set(key, { code, severity: factsOf(code).severity, subject, message, since });
    }
    this.#write("info", over, ({ code, subject, message }) => {
      return `${code === "peer-expired" ? "Over" : "Well again"}: ${subject} (before: ${message})`;
    });
    this.#write("warning", found.filter((one) => !before.has(keyOf(one))), ({ message }) => message);
  }

  /** Adds one problem to what is known under its code. */
  raise(found: Found, now: number): void {
    const others = this.list().filter(({ code, subject }) =>
      code === found.code && subject !== found.subject
    );
    this.set([found.code], [...others, found], now);
  }

  /** Whether there is a problem under one of the codes. */
  has(...codes: readonly HealthCode[]): boolean {
    for (const { code } of this.#problems.values()) if (codes.includes(code)) return true;
    return false;
  }

  /** Sorted: high first, then by code and subject. */
  list(): readonly Problem[] {
    const order = ({ severity, code, subject }: Omit<Problem, "because">) =>
      `${severity === "high" ? 0 : 1} ${code} ${subject}`;
    const present = new Set([...this.#problems.values()].map(({ code }) => code));
    return [...this.#problems.values()]
      .sort((a, b) => order(a) < order(b) ? -1 : 1)
      .map((one) => ({ ...one, because: causeOf(one.code, present) }));
  }

  /** One line for each code, with the number of further ones: a thousand routes may fail for one reason. */
  #write(level: "warning" | "info", problems: readonly Found[], sentence: (found: Found) => string): void {
    for (const [first, ...others] of Map.groupBy(problems, ({ code }) => code).values()) {
      const { code, subject } = first!;
      const more = others.length === 0 ? "" : `, and ${others.length} more`;
      this.#log.log(level, `${sentence(first!)}${more}`, { code, subject });
    }
  }
}

function keyOf({ code, subject }: { code: HealthCode; subject: string }): string {
  return `${code} ${subject}`;
}
