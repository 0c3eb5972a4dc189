/** What the doctor learns from this host's agent, where one runs. */
import { askAgent } from "../../agent/control.ts";
import type { Joined } from "../../agent/joined.ts";
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

export async function lookAtAgent(context: Context, joined: Joined | undefined): Promise<AgentLook> {
  const { settings, clock } = context;
  try {
    const status = await askAgent(socketOf(settings), { op: "status", clock }) as Status | null | undefined;
    if (status == null) {
      const state = status === null ? "joining" : "none";
      const host = { joined: joined !== undefined, once: joined?.once === true };
      return { facts: { seen: { ...host, state, version: undefined, problems: [] } }, known: undefined };
    }
    const problems = status.problems.map(({ code, severity, subject, message, remedy }) => ({
      ...{ code, severity, subject, message, remedy },
    }));
    const host = { joined: true, once: false, state: "running" } as const;
    const facts: AgentFacts = { ...host, version: status.agent.version, problems };
    return { facts: { seen: facts }, known: await askNetwork(socketOf(settings), context) };
  } catch (error) {
    if (!(error instanceof FlanError)) throw error;
    return { facts: { unseen: error.message }, known: undefined };
  }
}
