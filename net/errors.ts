/**
 * The one error type of flan. Everything that goes wrong and is meant for a person is a FlanError; anything
 * else that reaches main.ts is a defect of flan and is shown as one.
 */

/** What went wrong, in words that do not change; `cmd/exit.ts` maps each of them to an exit code. */
export type ErrorCode =
  /** A flag, setting, file or document that somebody can correct. */
  | "invalid"
  /** The attempt failed, and none of the more precise codes fits. */
  | "failed"
  /** Every subnet of the network is taken. */
  | "out-of-subnets"
  /** A compare-and-swap lost: the stored revision is not the expected one. */
  | "conflict"
  /** The question was answered, and the answer is no (drift, unreachable, not ready). */
  | "no"
  /** The lease store cannot be reached, or holds no network. */
  | "store"
  /** Something answers in the lease store's place that does not speak as a store does, or more than is bearable. */
  | "store-reply"
  /** The lease store refuses this host, or this host the store: certificate, password, token, permission. */
  | "store-denied"
  /** The lease store is there, and its contents cannot be used. */
  | "store-damaged"
  /** A capability is missing. */
  | "not-permitted"
  /** The kernel or a library lacks something. */
  | "unsupported"
  /** The time limit passed. */
  | "timeout"
  /** The kernel refused a request; see {@link KernelError}. */
  | "kernel";

export interface FlanErrorInit {
  /** What was being attempted, as a stable verb phrase for logs: `lease.acquire`, `kernel.apply`. */
  op: string;
  code: ErrorCode;
  cause?: unknown;
  /** One command or setting that helps. */
  hint?: string | undefined;
}

/**
 * Message grammar: sentence case, no full stop, names the thing and its current value, then a colon and why:
 * `Cannot parse address "010.1.1.1": an octet has a leading zero`.
 */
export class FlanError extends Error {
  override readonly name: string = "FlanError";
  readonly op: string;
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(message: string, init: FlanErrorInit) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.op = init.op;
    this.code = init.code;
    this.hint = init.hint;
  }
}

/** A request that the kernel refused, with the errno name (`ENETDOWN`) that it gave. */
export class KernelError extends FlanError {
  override readonly name = "KernelError";
  /** The errno name, such as `EEXIST`; "" where no system call failed. */
  readonly errno: string;

  /** `code` is needed only where the errno does not say it: a feature the kernel lacks is `unsupported`. */
  constructor(
    message: string,
    errno: string,
    init: { op: string; code?: ErrorCode; hint?: string | undefined },
  ) {
    super(message, { code: errno === "EPERM" ? "not-permitted" : "kernel", ...init });
    this.errno = errno;
  }
}

/** Shorthand for the commonest error: input that somebody can correct. */
export function invalid(op: string, message: string, hint?: string): FlanError {
  return new FlanError(message, { op, code: "invalid", hint });
}

/** Whether it is the lease store that cannot be used now, for whatever reason: an outage, not an answer. */
export function isStoreTrouble(error: unknown): error is FlanError & { code: `store${string}` } {
  return error instanceof FlanError && error.code.startsWith("store");
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The system's reason in an error of Deno's: `No space left on device (os error 28)`. */
export function systemReason(error: unknown): string {
  // Deno appends the call and the path, which our own messages name already.
  return messageOf(error).replace(/: \w+ '.*'$/s, "");
}
