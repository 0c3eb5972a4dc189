/** What the other parts say of themselves: the store, the agent, the state directory, subnet.env, and the plan. */
import { gatewayOf } from "../../agent/subnet_env.ts";
import { removalOf } from "../../kernel/explain/remedy.ts";
import { describe, type Route } from "../../kernel/state.ts";
import { formatCidr } from "../../net/ip.ts";
import { printable } from "../../net/text.ts";
import { type Check, looked, type Outcome } from "../check.ts";
import { type Diagnosis, diagnosis } from "../diagnosis.ts";
import type { Facts, NetworkFacts } from "../facts.ts";

export const store: Check = {
  name: "store and leases",
  judge: (facts) => looked([facts.store], (found) => found),
};

export const agent: Check = {
  name: "agent",
  judge: ({ agent, version }) =>
    unlessStranger(agent) ?? looked([agent], ({ once, start, state, version: theirs, problems }) => {
      if (state === "none") {
        return once ? [] : [diagnosis("agent-down", {
          subject: "agent",
          message: "This host has joined the network, and no agent runs",
          remedy: start,
        })];
      }
      const other = theirs === undefined || theirs === version ? [] : [diagnosis("agent-version", {
        subject: "agent",
        message: `The agent that runs is flan ${printable(theirs, 40)}, and this is ${version}`,
      })];
      return [...problems, ...other];
    }),
};

export const stateDir: Check = {
  name: "state directory",
  judge: ({ stateDir: { path, problem } }) => ({
    found: problem === undefined ? [] : [diagnosis("state-dir", {
      subject: path,
      message: `Cannot use state directory ${path}: ${problem}`,
    })],
    unseen: undefined,
  }),
};

/** Whether subnet.env says what this host has. */
export const subnetEnv: Check = {
  name: "subnet.env",
  judge: ({ network, subnetFile: { path, text }, agent }) =>
    unlessStranger(agent) ?? looked([network, text, agent], ({ config, own, mtu }, said, { start }) => {
      if (own === undefined || mtu === undefined) return [];
      const wanted = {
        FLANNEL_NETWORK: formatCidr(config.network),
        FLANNEL_SUBNET: gatewayOf(own),
        FLANNEL_MTU: String(mtu),
      };
      const values = new Map((said ?? "").split("\n").map((line) => line.split("=", 2) as [string, string]));
      const wrong = Object.entries(wanted).filter(([key, value]) => values.get(key) !== value)
        .map(([key, value]) =>
          `${key} is ${printable(values.get(key) ?? "missing", 80)} and should be ${value}`
        );
      if (wrong.length === 0) return [];
      const message = said === undefined
        ? `${path} is missing`
        : `${path} is not what this host has: ${wrong.join(", ")}`;
      return [diagnosis("subnet-file", { subject: path, message, remedy: `${start} writes it` })];
    }),
};

/** A running agent tells of what it cannot mend itself. */
export const drift: Check = {
  name: "plan",
  judge: ({ network, agent }) =>
    unlessStranger(agent) ?? looked([planOf(network), agent], ({ drift, intruders }, { start, state }) => {
      const foreign = intruders.map(foreignRoute);
      if (state !== "none" || drift.length === 0) return foreign;
      const more = drift.length > 1 ? `, and ${drift.length - 1} more` : "";
      return [
        ...foreign,
        diagnosis("drift", {
          subject: drift[0]!,
          message: `The kernel is not as planned: ${drift[0]}${more}`,
          remedy: `flan routes repair mends it once, ${start} for good`,
        }),
      ];
    }),
};

/** With the subject that an agent gives it, so that it is told once. */
function foreignRoute({ planned, found }: NetworkFacts["intruders"][number]): Diagnosis {
  return diagnosis("foreign-route", {
    subject: describe(planned),
    message: `${sentenceOf(found)} is not flan's, and takes packets of ${describe(planned)}`,
    remedy: removalOf(found).join("; "),
  });
}

function sentenceOf(found: Route): string {
  return describe(found).replace(/^r/, "R");
}

/** On a host that has not joined there is nothing of flan's that could be well. */
function unlessStranger(agent: Facts["agent"]): Outcome | undefined {
  const isStranger = "seen" in agent && agent.seen.state === "none" && !agent.seen.joined;
  return isStranger ? { found: [], unseen: "this host has joined no network" } : undefined;
}

/** Nothing is planned for a host without an underlay, so that nothing can be compared. */
function planOf(network: Facts["network"]): Facts["network"] {
  if ("unseen" in network || network.seen.noUnderlay === undefined) return network;
  return { unseen: "without an underlay nothing is planned" };
}
