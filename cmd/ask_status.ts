/** Asks this host's agent for its status, as every user may. */
import { askAgent } from "../agent/control.ts";
import { FlanError } from "../net/errors.ts";
import { type Context, socketOf, statusSocketOf } from "./context.ts";
import type { Status } from "./status_screen.ts";

/**
 * Null where the agent is still joining, undefined where none runs. Over the socket of root and its group, whom no crowd
 * keeps waiting, or else over the one for every user. Throws as {@link askAgent} does.
 */
export async function askStatus(
  { settings, clock }: Pick<Context, "settings" | "clock">,
): Promise<Status | null | undefined> {
  const ask = (path: string) => askAgent(path, { op: "status", clock }) as Promise<Status | null | undefined>;
  try {
    return await ask(socketOf(settings));
  } catch (error) {
    if (!(error instanceof FlanError) || error.code !== "not-permitted") throw error;
    return await ask(statusSocketOf(settings));
  }
}
