/** One agent for each run directory. */
import * as control from "../control/lock.ts";
import type { Clock } from "../net/clock.ts";
import { FlanError, messageOf } from "../net/errors.ts";

export type AgentLock = control.Lock;

/**
 * Where the lock, the control sockets and subnet.env lie: for every user to look into, whatever the umask, unless
 * it was there before. Throws FlanError.
 */
export function makeRunDir(runDir: string): void {
  try {
    const isNew = !isThere(runDir);
    Deno.mkdirSync(runDir, { recursive: true });
    if (isNew) Deno.chmodSync(runDir, 0o755);
  } catch (error) {
    throw new FlanError(`Cannot make run directory ${runDir}: ${messageOf(error)}`, {
      op: "agent.lock",
      code: error instanceof Deno.errors.PermissionDenied ? "not-permitted" : "failed",
      hint: "run as root, or name another one with --run-dir",
    });
  }
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Takes the lock, or returns undefined while another agent holds it. The directory must exist. */
export function tryLockAgent(runDir: string): AgentLock | undefined {
  return control.tryLock(lockFile(runDir));
}

/** Takes the lock as soon as it is free, or resolves to undefined after `ms` milliseconds. */
export function lockAgentWithin(
  runDir: string,
  options: { ms: number; clock: Clock },
): Promise<AgentLock | undefined> {
  return control.lockWithin(lockFile(runDir), options);
}

/** Whether an agent runs, or joins just now. */
export function isAgentThere(runDir: string): boolean {
  return control.isHeld(lockFile(runDir));
}

/** The process that certainly holds the lock, or undefined where it cannot be told. */
export function provenHolder(runDir: string): number | undefined {
  return control.provenHolder(lockFile(runDir));
}

/** The process that wrote the lock file last; whether it still runs is the lock's business. */
export function lockHolder(runDir: string): number | undefined {
  return control.lockHolder(lockFile(runDir));
}

function lockFile(runDir: string): string {
  return `${runDir}/agent.lock`;
}
