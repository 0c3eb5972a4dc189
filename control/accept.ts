/** Takes the connections of a listener: a bounded number at once, and whatever befalls `accept` is outlived. */
import { messageOf } from "../net/errors.ts";
import type { Clock } from "../net/clock.ts";
import type { Logger } from "../net/log.ts";

const MAX_CLIENTS = 64;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;

/** What is needed of a `Deno.Listener`. */
export interface Acceptor<C> {
  accept(): Promise<C>;
}

/**
 * Serves connections until `signal` aborts, then waits for those that are open. An `accept` that fails (no
 * descriptor left, for one) is logged once and tried again, at first after 100 ms and at last every 5 s.
 * Connections beyond `maxClients` are closed at once, so that a flood of them costs the process nothing.
 */
export async function acceptAll<C extends { close(): void }>(
  listener: Acceptor<C>,
  { serve, clock, log, signal, maxClients = MAX_CLIENTS }: {
    serve: (conn: C) => Promise<void>;
    clock: Clock;
    log: Logger;
    signal: AbortSignal;
    maxClients?: number | undefined;
  },
): Promise<void> {
  const open = new Set<Promise<void>>();
  let pause = 0;
  while (!signal.aborted) {
    let conn: C;
    try {
      conn = await listener.accept();
    } catch (error) {
      if (signal.aborted) break;
      if (pause === 0) log.log("warning", `Cannot accept a connection for now: ${messageOf(error)}`);
      pause = Math.min(Math.max(2 * pause, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
      await clock.sleep(pause, signal);
      continue;
    }
    if (pause > 0) log.log("info", "Connections are accepted again");
    pause = 0;
    if (open.size >= maxClients) {
      conn.close();
      continue;
    }
    const serving = serve(conn).finally(() => open.delete(serving));
    open.add(serving);
  }
  await Promise.all(open);
}
