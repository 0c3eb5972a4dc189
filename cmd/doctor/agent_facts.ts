/** What the doctor learns from this host's agent, where one runs. */
import type { Joined } from "../../agent/joined.ts";
import type { AgentFacts, Seen } from "../../doctor/facts.ts";
import { FlanError } from "../../net/errors.ts";
import { askStatus } from "../ask_status.ts";
import type { Context } from "../context.ts";
import { startCommand } from "../rejoin.ts";

export async function lookAtAgent(
  context: Context,
  joined: Joined | undefined,
): Promise<Seen<AgentFacts>> {
  const start = startCommand(context, joined);
  try {
    const status = await askStatus(context);
    if (status == null) {
      const state = status === null ? "joining" : "none";
      const host = { joined: joined !== undefined, once: joined?.once === true, start };
      return { seen: { ...host, state, version: undefined, problems: [] } };
    }
    const problems = status.problems.map(({ code, severity, subject, message, remedy }) => ({
      ...{ code, severity, subject, message, remedy },
    }));
    const host = { joined: true, once: false, start, state: "running" } as const;
    return { seen: { ...host, version: status.agent.version, problems } };
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    return { unseen: error.message };
  }
}
