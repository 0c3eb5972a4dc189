/** What the doctor learns from this host's agent, where one runs. */
import { askAgent } from "../../agent/control.ts";
import { askNetwork, type KnownNetwork } from "../../agent/known_network.ts";
import type { AgentFacts, Seen } from "../../doctor/facts.ts";
import { FlanError } from "../../net/errors.ts";
import { type Context, socketOf } from "../context.ts";
import type { Status } from "../status_screen.ts";

export interface AgentLook {
  readonly facts: Seen<AgentFacts>;
  /** The network as the agent knows it. */
  readonly known: KnownNetwork | undefined;
}

export async function lookAtAgent(context: Context, joined: boolean): Promise<AgentLook> {
  const { settings, clock } = context;
  try {
    const status = await askAgent(socketOf(settings), { op: "status", clock }) as Status | null | undefined;
    if (status == null) {
      const state = status === null ? "joining" : "none";
      return { facts: { seen: { joined, state, version: undefined, problems: [] } }, known: undefined };
    }
    const problems = status.problems.map(({ code, severity, subject, message, remedy }) => ({
      ...{ code, severity, subject, message, remedy },
    }));
    const facts: AgentFacts = { joined: true, state: "running", version: status.agent.version, problems };
    return { facts: { seen: facts }, known: await askNetwork(socketOf(settings), context) };
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    return { facts: { unseen: error.message }, known: undefined };
  }
}
