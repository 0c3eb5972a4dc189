/** What goes wrong with a proxy, as the failure of a kernel's change. */
import { FlanError, KernelError, messageOf } from "../net/errors.ts";

/**
 * The error as `what` and why. It has an errno where a system call failed or its time was over, and "" otherwise. Throws
 * what is no error of the work, but a defect.
 */
export function asKernelError(what: string, error: unknown): KernelError {
  if (error instanceof KernelError && error.message.startsWith("Cannot ")) return error;
  if (!(error instanceof FlanError)) throw error;
  const { code, hint, op } = error;
  return new KernelError(`${what}: ${messageOf(error)}`, errnoOf(error), { op, code, hint });
}

function errnoOf(error: FlanError): string {
  if (error instanceof KernelError) return error.errno;
  return error.code === "timeout" ? "ETIMEDOUT" : "";
}
