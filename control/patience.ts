/** How long whoever connects may take over anything. */
import type { Clock } from "../net/clock.ts";
import { closeQuietly, type Conn } from "./lines.ts";

/** How long a client may take to ask, and again to take the answer, milliseconds. */
const PATIENCE_MS = 5000;

/** Does `work` with the connection, and hangs up where it takes too long. */
export async function withPatience<T>(conn: Conn, clock: Clock, work: () => Promise<T>): Promise<T> {
  const done = new AbortController();
  clock.sleep(PATIENCE_MS, done.signal).then(() => {
    if (!done.signal.aborted) closeQuietly(conn);
  });
  try {
    return await work();
  } finally {
    done.abort();
  }
}
