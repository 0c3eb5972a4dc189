/** An underlay whose address of IPv6 is new: nobody may use it until the kernel has asked the link for a duplicate. */
import type { Clock } from "../net/clock.ts";
import { FlanError } from "../net/errors.ts";
import { COMING } from "./underlay.ts";

/** Detection takes a second or two (RFC 4862, 5.4), and is begun anew when the link gets its carrier. */
const MOST_MS = 5000;
const EVERY_MS = 250;

/** What `look` gives, once no address is awaited any more; after five seconds its error is thrown. */
export async function onceSettled<T>(look: () => Promise<T>, clock: Clock): Promise<T> {
  const until = clock.monotonic() + MOST_MS;
  for (;;) {
    try {
      return await look();
    } catch (error) {
      const isComing = error instanceof FlanError && error.op === COMING;
      if (!isComing || clock.monotonic() >= until) throw error;
    }
    await clock.sleep(EVERY_MS);
  }
}
