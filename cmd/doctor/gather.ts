/** Gathers the facts for `flan doctor` from store, agent, kernel and files. Whatever cannot be seen is said as such. */
import { readJoined } from "../../agent/joined.ts";
import { askNetwork } from "../../agent/known_network.ts";
import { portsInDoubt } from "../../doctor/checks/ports.ts";
import type { Facts } from "../../doctor/facts.ts";
import { networksOf } from "../../lease/stack.ts";
import { type Context, socketOf, subnetFileOf } from "../context.ts";
import { version } from "../version.ts";
import { lookAtAgent } from "./agent_facts.ts";
import { lookAtFilter, lookAtNetworkd, lookAtUdp } from "./file_facts.ts";
import { lookAtHost } from "./host_facts.ts";
import { inboundOf, probesOf } from "./inbound.ts";
import { lookAtInput } from "./input_facts.ts";
import { seeing } from "./seeing.ts";
import { lookAtStore } from "./store_facts.ts";
import { askedOnce, type System } from "./system.ts";

/** Throws `invalid` for settings that cannot be used, and nothing else: a sick host is no reason to fail. */
export async function gather(context: Context, system: System): Promise<Facts> {
  const { settings } = context;
  const joined = readJoined(settings.runDir);
  const [store, agent] = await Promise.all([lookAtStore(context), lookAtAgent(context, joined)]);
  // Only where the store does not tell: with very many leases it is the longest answer that an agent gives.
  const isAnswering = "seen" in agent && agent.seen.state === "running";
  const known = store.snapshot === undefined && isAnswering
    ? await askNetwork(socketOf(settings), context)
    : undefined;
  const { network, kernel, lacks } = await lookAtHost(context, { ...store, known });
  const cidrs = "seen" in network ? networksOf(network.seen.config) : undefined;
  const ports = "seen" in network && "seen" in kernel ? portsInDoubt(network.seen, kernel.seen) : [];
  const { subnetFile } = subnetFileOf(settings);
  const unknown = { unseen: "the network is not known" };
  const filter = askedOnce(system);
  const inbound = "seen" in network
    ? [...inboundOf(network.seen), ...probesOf(network.seen, settings.probePort)]
    : [];
  const [dropping, input] = await Promise.all([
    cidrs === undefined ? unknown : lookAtFilter(filter, cidrs),
    "seen" in network ? lookAtInput(filter, inbound) : unknown,
  ]);
  return {
    isAdmin: system.isAdmin,
    version,
    network,
    kernel,
    lacks,
    udp: seeing(() => lookAtUdp(system, ports)),
    dropping,
    input,
    networkd: lookAtNetworkd(system),
    store: store.findings,
    subnetFile: { path: subnetFile, text: seeing(() => system.text(subnetFile)) },
    stateDir: {
      path: settings.stateDir,
      // Only root may write there; others cannot tell.
      problem: system.isAdmin ? system.unwritable(`${settings.stateDir}/host.lock`) : undefined,
    },
    agent,
  };
}
