/** Stops the agent of this host, by asking, and only where that does not help by force. */
import { askAgent } from "../agent/control.ts";
import { type AgentLock, lockAgentWithin, lockHolder, provenHolder, tryLockAgent } from "../agent/lock.ts";
import { FlanError, messageOf } from "../net/errors.ts";
import { type Context, socketOf } from "./context.ts";

/** An agent that does not stop in this time is killed; the kernel keeps what it made, and we take it away. */
const STOP_MS = 5000;

/**
 * Stops a running agent and takes its lock, so that none starts while we clean up. `stopped` says what was done.
 * Throws `failed` where the lock stays with a process that cannot be told or does not go.
 */
export async function stopAgent(context: Context): Promise<{ lock: AgentLock; stopped: string[] }> {
  const { settings, clock, log } = context;
  const { runDir } = settings;
  const free = tryLockAgent(runDir);
  if (free !== undefined) return { lock: free, stopped: [] };
  const pid = lockHolder(runDir);
  // Not awaited: what counts is the lock, and a deaf agent would be waited for twice.
  askAgent(socketOf(settings), { op: "stop", clock }).catch((error) => {
    log.log("warning", `The agent does not listen: ${messageOf(error)}`, { pid });
  });
  let lock = await lockAgentWithin(runDir, { ms: STOP_MS, clock });
  if (lock === undefined) {
    const deaf = provenHolder(runDir);
    if (deaf !== undefined) kill(deaf);
    // Nobody is told where it ended between the two looks.
    lock = await lockAgentWithin(runDir, { ms: deaf === undefined ? 0 : STOP_MS, clock });
    if (lock === undefined) {
      throw held(runDir, deaf === undefined ? "that cannot be told" : "that does not end");
    }
  }
  return { lock, stopped: [`stopped the agent (process ${pid ?? "unknown"})`] };
}

/** It may have ended by itself meanwhile. */
function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function held(runDir: string, why: string): FlanError {
  return new FlanError(`Cannot stop the agent: ${runDir}/agent.lock is held by a process ${why}`, {
    op: "down",
    code: "failed",
    hint: `fuser ${runDir}/agent.lock names it`,
  });
}
