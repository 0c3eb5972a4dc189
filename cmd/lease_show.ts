/** `flan lease list` and `get`. */
import { readHostState } from "../agent/host_state.ts";
import { observeHost } from "../agent/host.ts";
import { ownLease } from "../agent/status.ts";
import { FlanError, invalid } from "../net/errors.ts";
import { isNobody } from "../lease/decode.ts";
import { formatCidr } from "../net/ip.ts";
import { orAgentsLease } from "./agent_knows.ts";
import { readNetwork, type StoredNetwork, withKernel, withStore } from "./context.ts";
import { exit } from "./exit.ts";
import type { Call } from "./leaf.ts";
import { epochSeconds, remaining } from "./lease_end.ts";
import { type Item, itemDocument, leasesOf, noteOf as noteOfLease, subnetOf } from "./lease_items.ts";
import { unreachableIn } from "./lease_check.ts";
import { type Column, printList } from "./output.ts";
import { noLease, printOwnLease } from "./own_lease.ts";
import { subnetArgument } from "./subnet_argument.ts";

export async function listLeases({ context, format, header }: Call): Promise<number> {
  const node = readHostState(context.settings.stateDir)?.node;
  const network = await withStore(context, (store) => readNetwork(store, { expiries: true }));
  const now = context.clock.now();
  const items = leasesOf(network, node);
  // Valid, and of no use to this network's backend: `routes` refuses it for the same reason.
  const unusable = new Map(unreachableIn(network).map((refusal) => [refusal.subnet, refusal]));
  const noteOf = (item: Item) => {
    const refusal = unusable.get(subnetOf(item));
    return refusal === undefined ? noteOfLease(item) : `${refusal.code}: ${refusal.reason}`;
  };
  const columns: Column<Item>[] = [
    { name: "SUBNET", cell: subnetOf },
    {
      name: "PUBLIC-IP",
      cell: ({ lease }) => lease && (isNobody(lease.publicIp) ? undefined : lease.publicIp),
    },
    {
      name: "BACKEND",
      cell: ({ lease, state }) => state === "reserved" ? undefined : lease && (lease.backendType || "udp"),
    },
    { name: "STATE", cell: ({ state }) => state },
    { name: "LEFT", cell: ({ lease }) => lease && remaining(lease.expires, now) },
    { name: "MAC", cell: macOf, wide: true },
    { name: "NODE", cell: ({ lease }) => lease?.node },
    { name: "NOTE", cell: noteOf },
  ];
  const epoch = { name: "EXPIRES", cell: ({ lease }: Item) => epochSeconds(lease?.expires) };
  const code = { name: "REASON", cell: (item: Item) => (item.refusal ?? unusable.get(subnetOf(item)))?.code };
  printList(format, {
    schema: "leases",
    items,
    columns: columns.filter(({ name }) =>
      name !== "NOTE" || items.some((item) => noteOf(item) !== undefined)
    ),
    tsv: [...columns.slice(0, 4), epoch, columns[5]!, columns[6]!, code],
    json: (item) => itemDocument(item, node),
    empty: "no leases",
    extra: { ...networkFields(network), revision: network.snapshot.revision },
  }, header);
  return exit.done;
}

function networkFields({ config: { network, ipv6 } }: StoredNetwork): { network: string; network6?: string } {
  const first = { network: formatCidr(network) };
  return ipv6 === undefined ? first : { ...first, network6: formatCidr(ipv6.network) };
}

function macOf({ lease }: Item): string | undefined {
  const data = lease?.backendData;
  return typeof data === "object" && data !== null && "VtepMAC" in data ? String(data["VtepMAC"]) : undefined;
}

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
