/** Ends a proxy, also one that does not listen. */
import { lockWithin, provenHolder } from "../control/lock.ts";
import type { Clock } from "../net/clock.ts";
import { FlanError } from "../net/errors.ts";
import { type ProxyClient } from "./client.ts";

/** A proxy stops within 200 ms; one that has not ended after this time is killed. */
const STOP_MS = 5000;

/**
 * Stops the proxy, of `link` only where one is named, and resolves when it is gone: to its process, or to undefined where
 * none runs (or another link's). Throws `failed` where it does not go.
 */
export async function stopProxy(
  client: ProxyClient,
  { clock, link }: { clock: Clock; link?: string },
): Promise<number | undefined> {
  let pid: number | undefined;
  try {
    const answer = await client.stop(link);
    if (answer === undefined || !answer.stopped) return undefined;
    pid = answer.pid;
  } catch (error) {
    const isDeaf = error instanceof FlanError && (error.code === "timeout" || error.code === "failed");
    if (!isDeaf) throw error;
  }
  if (pid !== undefined && await gone(client, clock)) return pid;
  const holder = provenHolder(client.lock);
  if (holder === undefined) {
    if (await gone(client, clock)) return pid;
    throw stays(client, "that cannot be told");
  }
  kill(holder);
  if (!await gone(client, clock)) throw stays(client, "that does not end");
  return holder;
}

/** Whether nobody holds the proxy's lock, at the latest after {@link STOP_MS}. */
async function gone({ lock }: ProxyClient, clock: Clock): Promise<boolean> {
  const free = await lockWithin(lock, { ms: STOP_MS, clock });
  free?.release();
  return free !== undefined;
}

/** It may have ended by itself meanwhile. */
function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function stays({ lock }: ProxyClient, why: string): FlanError {
  return new FlanError(`Cannot stop the UDP proxy: ${lock} is held by a process ${why}`, {
    op: "proxy.stop",
    code: "failed",
    hint: `fuser ${lock} names it`,
  });
}
