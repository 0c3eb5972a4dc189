/** The exit codes of flan, and the one place that turns an error into one of them. */
import { FlanError, KernelError } from "../net/errors.ts";
import type { ErrorCode } from "../net/errors.ts";
import { printable } from "../net/text.ts";

/** These do not change. The last three are what a shell makes of SIGINT, SIGPIPE and SIGTERM: 128 + number. */
export const exit = {
  done: 0,
  failed: 1,
  usage: 2,
  no: 3,
  store: 4,
  unsupported: 5,
  timeout: 6,
  interrupted: 130,
  brokenPipe: 141,
  hungUp: 129,
  terminated: 143,
} as const;

/** What each of them says, in the words of the README and the manual page. */
export const exitMeanings: Readonly<Record<keyof typeof exit, string>> = {
  done: "done, or yes",
  failed: "failed",
  usage: "usage, or an invalid setting or document",
  no: "the answer is no: drift, not ready, no such lease",
  store: "the store cannot be reached or used",
  unsupported: "not permitted, or the kernel or a library lacks something",
  timeout: "timed out",
  interrupted: "ended by SIGINT",
  brokenPipe: "ended because nobody read its output any more",
  hungUp: "ended by SIGHUP",
  terminated: "ended by SIGTERM",
};

const codes: Record<ErrorCode, number> = {
  "invalid": exit.usage,
  "failed": exit.failed,
  "out-of-subnets": exit.failed,
  "conflict": exit.failed,
  "no": exit.no,
  "store": exit.store,
  "store-reply": exit.store,
  "store-denied": exit.store,
  "store-damaged": exit.store,
  "not-permitted": exit.unsupported,
  "unsupported": exit.unsupported,
  "timeout": exit.timeout,
  "kernel": exit.failed,
};

export function exitCode(error: unknown): number {
  if (error instanceof Deno.errors.BrokenPipe) return exit.brokenPipe;
  return error instanceof FlanError ? codes[error.code] : exit.failed;
}

const kinds: Readonly<Record<number, ErrorCode>> = {
  [exit.usage]: "invalid",
  [exit.no]: "no",
  [exit.store]: "store",
  [exit.unsupported]: "unsupported",
  [exit.timeout]: "timeout",
};

/** The kind of error that another flan ended with, as far as its exit code says. */
export function errorCodeOf(code: number): ErrorCode {
  return kinds[code] ?? "failed";
}

/**
 * What a person reads of an error: one sentence, a hint where there is one; a defect of flan shows its stack.
 * Nothing for a closed pipe: whoever says `flan routes | head -1` wants no more.
 */
export function explain(error: unknown): string {
  if (error instanceof FlanError) {
    const hint = error.hint === undefined ? "" : `\nhint: ${printable(error.hint, 400)}`;
    // A time limit of flan's own is no system call's.
    const errno =
      error instanceof KernelError && error.code !== "timeout" && !error.message.includes(error.errno)
        ? ` (${error.errno})`
        : "";
    return `flan: ${printable(error.message, 2000)}${errno}${hint}`;
  }
  if (error instanceof Deno.errors.BrokenPipe) return "";
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  return `flan: This is a defect of flan, please report it\n${text}`;
}
