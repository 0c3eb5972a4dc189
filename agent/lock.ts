/** One agent for each run directory: a lock that the kernel drops when its holder dies. */
import { FlanError, messageOf } from "../net/errors.ts";

export interface AgentLock {
  release(): void;
}

/** Where the lock, the control socket and subnet.env lie. Throws FlanError. */
export function makeRunDir(runDir: string): void {
  try {
    Deno.mkdirSync(runDir, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw new FlanError(`Cannot make run directory ${runDir}: ${messageOf(error)}`, {
      op: "agent.lock",
      code: error instanceof Deno.errors.PermissionDenied ? "not-permitted" : "failed",
      hint: "run as root, or name another one with --run-dir",
    });
  }
}

/** Takes the lock, or returns undefined while another agent holds it. The directory must exist. */
export function tryLockAgent(runDir: string): AgentLock | undefined {
  const file = Deno.openSync(lockFile(runDir), { create: true, read: true, write: true, mode: 0o644 });
  if (!file.tryLockSync(true)) {
    file.close();
    return undefined;
  }
  file.truncateSync(0);
  file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
  return { release: () => file.close() };
}

/** Waits until no agent holds the lock, then takes it. */
export async function lockAgent(runDir: string): Promise<AgentLock> {
  const file = await Deno.open(lockFile(runDir), { create: true, read: true, write: true, mode: 0o644 });
  await file.lock(true);
  return { release: () => file.close() };
}

/** The process that wrote the lock file last; whether it still runs is the lock's business. */
export function lockHolder(runDir: string): number | undefined {
  try {
    const pid = Number(Deno.readTextFileSync(lockFile(runDir)).trim());
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function lockFile(runDir: string): string {
  return `${runDir}/agent.lock`;
}
