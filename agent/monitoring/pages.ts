/** What `--listen` serves: `/livez` and `/readyz` for whoever restarts or uses the host, `/metrics` for whoever counts. */
import type { Page } from "../../control/pages.ts";
import type { Agent } from "../agent.ts";
import { EXPOSITION_TYPE } from "./exposition.ts";
import { type MetricFacts, metricsText } from "./metrics.ts";
import { obstacles } from "../health/readiness.ts";

/** A loop that has not turned for so long hangs, milliseconds: it turns every half minute where nothing happens. */
const HANGS_MS = 60_000;

export interface Probed {
  /** Undefined while it is still joining. */
  readonly agent: Agent | undefined;
  readonly facts: () => Promise<MetricFacts>;
}

/** The page at `path`. */
export async function probePage(path: string, { agent, facts }: Probed): Promise<Page> {
  switch (path) {
    case "/livez":
      return livez(agent);
    case "/readyz":
      return readyz(agent);
    case "/metrics":
      return { status: 200, text: metricsText(agent, await facts()), type: EXPOSITION_TYPE };
    default:
      return { status: 404, text: "There are /livez, /readyz and /metrics\n" };
  }
}

function livez(agent: Agent | undefined): Page {
  const still = agent?.pulse.still ?? 0;
  if (still < HANGS_MS) return { status: 200, text: agent === undefined ? "joining\n" : "ok\n" };
  return { status: 503, text: `the agent's loop has not turned for ${Math.floor(still / 1000)} s\n` };
}

/** A line for each code that stands in the way: codes say what is wrong, and nothing of the network. */
function readyz(agent: Agent | undefined): Page {
  if (agent === undefined) return { status: 503, text: "joining\n" };
  const codes = obstacles({ lease: agent.state.own, problems: agent.health.list() });
  return codes.length === 0
    ? { status: 200, text: "ok\n" }
    : { status: 503, text: codes.map((code) => `${code}\n`).join("") };
}
