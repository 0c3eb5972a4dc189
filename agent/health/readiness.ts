/** Whether a host's network can be used: one answer for `flan status --wait`, its exit code, and `/readyz`. Pure. */
import type { Severity } from "./codes.ts";

/**
 * What keeps the host from being ready, as codes of health, each once, and `no-lease`; empty where it is. What is
 * only a warning does not.
 */
export function obstacles(
  { lease, problems }: {
    /** Null or undefined where the host has none. */
    readonly lease: unknown;
    readonly problems: readonly { readonly code: string; readonly severity: Severity }[];
  },
): string[] {
  const high = problems.filter(({ severity }) => severity === "high").map(({ code }) => code);
  return [...new Set(lease == null ? ["no-lease", ...high] : high)];
}
