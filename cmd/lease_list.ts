/** `flan lease list`: every lease of the network, and why one is refused. */
import { readHostState } from "../agent/host_state.ts";
import { isNobody } from "../lease/decode.ts";
import { readNetwork, withStore } from "./context.ts";
import { exit } from "./exit.ts";
import type { Call } from "./leaf.ts";
import { epochSeconds, remaining } from "./lease_end.ts";
import {
  type Item,
  itemDocument,
  leasesOf,
  networkFields,
  noteOf as noteOfLease,
  subnetOf,
} from "./lease_items.ts";
import { type Column, printList } from "./output.ts";
import { unreachableIn } from "./unreachable.ts";

export async function listLeases({ context, format, header }: Call): Promise<number> {
  const node = readHostState(context.settings.stateDir)?.node;
  const network = await withStore(context, (store) => readNetwork(store, { expiries: true }));
  const now = context.clock.now();
  const items = leasesOf(network, node);
  // Valid, and of no use to any host.
  const unusable = new Map(
    unreachableIn(network, context.settings.stateDir).map((refusal) => [refusal.subnet, refusal]),
  );
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

function macOf({ lease }: Item): string | undefined {
  const data = lease?.backendData;
  return typeof data === "object" && data !== null && "VtepMAC" in data ? String(data["VtepMAC"]) : undefined;
}
