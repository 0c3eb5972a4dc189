/**
 * Health as data. Every degradation has a code that does not change; the log, `status` and the agent's exit
 * all speak of the same ones.
 */
import type { Logger } from "../net/log.ts";

export type Severity = "warning" | "high";

/** Every code there is. `high` means that this host or a peer is cut off or may be; `status` then exits 3. */
export const healthCodes = {
  "store-unreachable": "warning",
  "lease-lost": "high",
  "lease-not-renewed": "warning",
  "lease-refused": "warning",
  "network-config": "warning",
  "foreign-link": "high",
  "foreign-address": "high",
  "foreign-route": "high",
  "foreign-nexthop": "high",
  "foreign-neighbour": "high",
  "foreign-fdb": "high",
  "foreign-sysctl": "warning",
  "kernel-refuses": "high",
  "underlay-missing": "high",
  "subnet-file": "warning",
  "option-ignored": "warning",
} as const satisfies Record<string, Severity>;

export type HealthCode = keyof typeof healthCodes;

export interface Problem {
  readonly code: HealthCode;
  readonly severity: Severity;
  /** What it concerns: a subnet, a link, a file. */
  readonly subject: string;
  readonly message: string;
  readonly since: number;
}

/** What a conflict with somebody else's object can be called. */
export const foreignCodes = (Object.keys(healthCodes) as HealthCode[]).filter((code) =>
  code.startsWith("foreign-")
);

/** The problems of now. Logs each when it begins and when it ends, and never in between. */
export class Health {
  readonly #problems = new Map<string, Problem>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /**
   * Replaces everything known under `codes` with `found`. A problem that was there before keeps its `since`.
   */
  set(
    codes: readonly HealthCode[],
    found: readonly { code: HealthCode; subject: string; message: string }[],
    now: number,
  ): void {
    const keep = new Set(found.map((one) => `${one.code} ${one.subject}`));
    for (const [key, problem] of this.#problems) {
      if (!codes.includes(problem.code) || keep.has(key)) continue;
      this.#problems.delete(key);
      this.#log.log("info", `Well again: ${problem.message}`, {
        code: problem.code,
        subject: problem.subject,
      });
    }
    for (const { code, subject, message } of found) {
      const key = `${code} ${subject}`;
      const before = this.#problems.get(key);
      if (before === undefined) this.#log.log("warning", message, { code, subject });
      this.#problems.set(key, {
        code,
        severity: healthCodes[code],
        subject,
        message,
        since: before?.since ?? now,
      });
    }
  }

  /** Adds one problem to what is known under its code. */
  raise(code: HealthCode, { subject, message }: { subject: string; message: string }, now: number): void {
    const others = this.list().filter((one) => one.code === code && one.subject !== subject);
    this.set([code], [...others, { code, subject, message }], now);
  }

  has(code: HealthCode): boolean {
    return this.list().some((problem) => problem.code === code);
  }

  /** Sorted: high first, then by code and subject. */
  list(): readonly Problem[] {
    const order = (problem: Problem) =>
      `${problem.severity === "high" ? 0 : 1} ${problem.code} ${problem.subject}`;
    return [...this.#problems.values()].sort((a, b) => order(a) < order(b) ? -1 : 1);
  }
}
