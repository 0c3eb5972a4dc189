/** Where the store is in trouble, what the agent of this host knows stands in for it. */
import type { ownLease } from "../agent/status.ts";
import { type FlanError, isStoreTrouble } from "../net/errors.ts";
import { printable } from "../net/text.ts";
import { askStatus } from "./ask_status.ts";
import type { Context } from "./context.ts";
import { timeSpan } from "./lease_end.ts";

/** Says on stderr what is shown instead, and of when. `heard` is milliseconds since 1970. */
export function tellInstead(
  error: FlanError,
  { heard, now }: { heard: number | undefined; now: number },
): void {
  const age = heard === undefined ? "" : ` ${timeSpan(Math.max(0, Math.floor((now - heard) / 1000)))} ago`;
  const why = printable(error.message, 2000);
  console.error(`flan: The store is away (${why}); shown is what the agent knew${age}`);
}

/**
 * What `work` makes of the store, or the own lease (`subnet`, if that is given) as the agent has it where the store is in trouble and an agent runs
 * on it, and says so. Throws what `work` does where none can stand in: it does not run, joins just now, uses another
 * store or has no such lease.
 */
export async function orAgentsLease<T>(
  { settings, clock }: Context,
  work: () => Promise<T>,
  subnet?: string,
): Promise<T | { readonly agents: ReturnType<typeof ownLease> }> {
  try {
    return await work();
  } catch (error) {
    if (!isStoreTrouble(error)) throw error;
    const status = await askStatus({ settings, clock });
    if (status == null || status.store.url !== settings.store || status.lease === null) throw error;
    if (subnet !== undefined && subnet !== status.lease.subnet) throw error;
    const { lastWord } = status.store;
    tellInstead(error, { heard: lastWord === null ? undefined : Date.parse(lastWord), now: clock.now() });
    return { agents: status.lease };
  }
}
