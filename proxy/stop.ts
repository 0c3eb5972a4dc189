/** Ends a proxy, also one that does not listen. */
import { isMute } from "../control/ask.ts";
import { removeIfAny } from "../control/listen.ts";
import { freeWithin, isHeld, provenHolder } from "../control/lock.ts";
import type { Clock } from "../net/clock.ts";
import { FlanError, KernelError } from "../net/errors.ts";
import { PATIENCE_MS, type ProxyClient } from "./client.ts";

/** A proxy stops within 200 ms; one that has not ended after this time is killed. */
const STOP_MS = 5000;
/** One that starts does not listen yet, and one that ends does not any more: neither takes so long. */
const SETTLE_MS = 1000;

export interface StopOptions {
  readonly clock: Clock;
  /** Only the proxy of this link, or nobody's. One that does not say whose it is, is ended all the same. */
  readonly link?: string;
  /** Milliseconds until one that does not answer is killed. */
  readonly patience?: number;
}

/**
 * Stops the proxy, of `link` only where one is named, and resolves when it is gone: to its process, or to undefined where
 * none runs (or another link's). One that nobody can talk to is whoever holds the lock. Throws `failed` where it does not
 * go.
 */
export async function stopProxy(client: ProxyClient, options: StopOptions): Promise<number | undefined> {
  const { clock } = options;
  let asked = await ask(client, options);
  if (asked === "nobody") {
    if (await freeWithin(client.lock, { ms: SETTLE_MS, clock })) return undefined;
    asked = await ask(client, options);
  }
  if (asked === "another's") return undefined;
  if (typeof asked === "number" && await isGone(client, clock)) return asked;
  const holder = holderOf(client);
  if (holder === undefined) {
    if (await isGone(client, clock)) return typeof asked === "number" ? asked : undefined;
    throw stays(client, "that cannot be told");
  }
  kill(holder);
  // Before the lock is free, and another one may listen there.
  removeIfAny(client.socket);
  if (!await isGone(client, clock)) throw stays(client, "that does not end");
  return holder;
}

/** The process that ends now, or what there is instead. */
async function ask(
  client: ProxyClient,
  { link, patience = PATIENCE_MS }: StopOptions,
): Promise<number | "nobody" | "another's" | "mute"> {
  try {
    const answer = await client.stop({ link, within: patience });
    if (answer === undefined) return "nobody";
    return answer.stopped ? answer.pid : "another's";
  } catch (error) {
    if (isMute(error) || isNotUnderstood(error)) return "mute";
    // It says no: as one of another version might, which does not know the request.
    if (error instanceof FlanError && error.code === "failed" && isHeld(client.lock)) return "mute";
    throw error;
  }
}

/** Whether the proxy has said what this version cannot make sense of. */
export function isNotUnderstood(error: unknown): boolean {
  return error instanceof KernelError && error.errno === "EPROTO";
}

function isGone({ lock }: ProxyClient, clock: Clock): Promise<boolean> {
  return freeWithin(lock, { ms: STOP_MS, clock });
}

function holderOf({ lock }: ProxyClient): number | undefined {
  try {
    return provenHolder(lock);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
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
