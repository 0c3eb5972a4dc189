/** `flan lease get`: this host's lease, or another one. */
import { readHostState } from "../agent/host_state.ts";
import { observeHost } from "../agent/host.ts";
import { ownLease } from "../agent/status.ts";
import { FlanError, invalid } from "../net/errors.ts";
import { orAgentsLease } from "./agent_knows.ts";
import { readNetwork, withKernel, withStore } from "./context.ts";
import { exit } from "./exit.ts";
import type { Call } from "./leaf.ts";
import { type Item, itemDocument, leasesOf, networkFields, subnetOf } from "./lease_items.ts";
import { noLease, printOwnLease } from "./own_lease.ts";
import { subnetArgument } from "./subnet_argument.ts";

export async function getLease({ context, format, header, args: [subnet] }: Call): Promise<number> {
  const node = readHostState(context.settings.stateDir)?.node;
  const wanted = subnet === undefined ? undefined : subnetArgument("subnet", subnet);
  const network = await orAgentsLease(
    context,
    () => withStore(context, (store) => readNetwork(store, { expiries: true })),
    wanted,
  );
  if ("agents" in network) {
    printOwnLease(format, { ...network.agents, state: "own" }, header);
    return exit.done;
  }
  const found = leasesOf(network, node).filter((item) =>
    wanted === undefined ? item.state === "own" : subnetOf(item) === wanted || item.lease?.subnet6 === wanted
  );
  const item = found.find(({ lease }) => lease !== undefined) ?? found[0];
  if (item?.lease === undefined) throw notFound(item, { wanted, store: context.settings.store });
  if (item.state !== "own") {
    if (format.kind === "env") {
      throw invalid("lease.get", `Cannot print format "env": lease ${wanted} is not this host's`);
    }
    const { refused: _, ...document } = itemDocument(item, node);
    printOwnLease(format, { ...document, ...networkFields(network) }, header);
    return exit.done;
  }
  const lease = item.lease;
  const document = await withKernel(context, async (kernel) => {
    const host = await observeHost(kernel, {
      ...network,
      options: context.settings,
      clock: context.clock,
    });
    return { ...ownLease({ lease, ...network, host }), state: item.state };
  });
  printOwnLease(format, document, header);
  return exit.done;
}

function notFound(
  item: Item | undefined,
  { wanted, store }: { wanted: string | undefined; store: string },
): FlanError {
  if (wanted === undefined) return noLease(store);
  const message = item?.refusal === undefined
    ? `Nobody has lease ${wanted} in ${store}`
    : `Lease ${wanted} in ${store} is refused: ${item.refusal.reason}`;
  return new FlanError(message, { op: "lease.get", code: "no" });
}
